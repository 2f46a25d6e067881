// Each marked line must be refused: a mark over a line without an error is an error itself.
import { ConvexClient, ConvexHttpClient } from "convex/browser";
import {
  useAction,
  useMutation,
  usePaginatedQuery,
  useQuery,
} from "convex/react";
import { api, internal } from "../convex/_generated/api.js";
import type { Doc, Id } from "../convex/_generated/dataModel.js";
import type { MutationCtx, QueryCtx } from "../convex/_generated/server.js";

export function Hooks({ channel, user }: { channel: Id<"channels">; user: Id<"users"> }) {
  // @ts-expect-error no such function
  useQuery(api.messages.nothing, {});
  // @ts-expect-error no such module
  useQuery(api.nothing.list, {});
  // @ts-expect-error an argument is missing
  useQuery(api.messages.list, {});
  // @ts-expect-error arguments are missing
  useQuery(api.messages.list);
  // @ts-expect-error a string is no id
  useQuery(api.messages.list, { channel: "general" });
  // @ts-expect-error an id of another table
  useQuery(api.messages.list, { channel: user });
  // @ts-expect-error there is no such argument
  useQuery(api.messages.list, { channel, order: "desc" });
  // @ts-expect-error a number is wanted
  useQuery(api.messages.list, { channel, limit: "3" });
  // @ts-expect-error left out is not undefined
  useQuery(api.messages.list, { channel, limit: undefined });
  // @ts-expect-error there are no arguments
  useQuery(api.messages.channels, { channel });
  // @ts-expect-error a mutation is no query
  useQuery(api.messages.send, { channel, body: "" });
  // @ts-expect-error a query is no mutation
  useMutation(api.messages.list);
  // @ts-expect-error a mutation is no action
  useAction(api.messages.send);
  // @ts-expect-error clients may not call it
  useMutation(internal.messages.sweep);
  // @ts-expect-error and it is not public
  useMutation(api.messages.sweep);
  // @ts-expect-error it has no pages
  usePaginatedQuery(api.messages.list, { channel }, { initialNumItems: 5 });
  // @ts-expect-error the hook gives paginationOpts
  usePaginatedQuery(api.messages.page, { channel, paginationOpts: { numItems: 1, cursor: null } }, { initialNumItems: 5 });
  // @ts-expect-error an argument is missing
  usePaginatedQuery(api.messages.page, {}, { initialNumItems: 5 });

  const messages = useQuery(api.messages.list, { channel });
  // @ts-expect-error it may not be there yet
  messages.length;
  // @ts-expect-error no such field
  messages?.[0]?.text;
  // @ts-expect-error it may not be there
  messages?.[0].body;
  // @ts-expect-error it is optional
  messages?.[0]?.embedding.length;
  // @ts-expect-error there are two words that it may be
  messages?.[0]?.status === "read";
  // @ts-expect-error it may be null
  useQuery(api.messages.newest, {})?.body.length + useQuery(api.messages.newest, {})._id;

  const send = useMutation(api.messages.send);
  // @ts-expect-error an argument is missing
  void send({ channel });
  // @ts-expect-error null is no string
  void send({ channel, body: null });
  void send.withOptimisticUpdate((store, args) => {
    // @ts-expect-error the result of the query is a list
    store.setQuery(api.messages.list, { channel: args.channel }, null);
  });
  return null;
}

export async function clients(channel: Id<"channels">) {
  const http = new ConvexHttpClient("https://api.example.com");
  // @ts-expect-error an argument is missing
  await http.query(api.messages.list, {});
  // @ts-expect-error a query is no mutation
  await http.mutation(api.messages.list, { channel });
  // @ts-expect-error a list is no buffer
  await http.action(api.messages.upload, { content: [1, 2] });
  const large = await http.query(api.kinds.large, { n: 1n });
  // @ts-expect-error a bigint is no number
  large + 1;
  // @ts-expect-error and a number no bigint
  await http.query(api.kinds.large, { n: 1 });
  const profile = await http.query(api.kinds.annotated, {
    color: "red",
    size: { width: 1 },
    profile: { name: "Ada" },
    mode: "fast",
    channel: null,
  });
  // @ts-expect-error it may not be there
  profile.note.length;
  // @ts-expect-error not one of the words
  const mode: Parameters<typeof http.query<typeof api.kinds.annotated>>[1]["mode"] = "medium";
  const live = new ConvexClient("https://api.example.com");
  // @ts-expect-error the page is inside
  live.onUpdate(api.messages.page, { channel, paginationOpts: { numItems: 1, cursor: null } }, (page) => page.length);
  live.onUpdate(api.messages.events, {}, (found) => {
    // @ts-expect-error only one kind has it
    for (const event of found) event.user;
  });
  return mode;
}

// @ts-expect-error no such table
export type Nothing = Doc<"nothing">;
// @ts-expect-error no such table
export type NoId = Id<"nothing">;

export async function server(q: QueryCtx, m: MutationCtx, channel: Id<"channels">) {
  // @ts-expect-error a staged index is not there yet
  q.db.query("messages").withIndex("by_status");
  // @ts-expect-error no such field in the index
  q.db.query("messages").withIndex("by_channel", (range) => range.eq("body", ""));
  // @ts-expect-error not a filter field
  q.db.query("messages").withSearchIndex("search_body", (s) => s.search("body", "").eq("body", ""));
  // @ts-expect-error queries do not write
  await q.db.delete(channel);
  // @ts-expect-error a field is missing
  await m.db.insert("channels", { name: "x" });
}
