// Everything here must pass. `same` compares types exactly: `any` is equal to nothing but itself.
import { ConvexClient, ConvexHttpClient } from "convex/browser";
import {
  useAction,
  useMutation,
  usePaginatedQuery,
  useQueries,
  useQuery,
} from "convex/react";
import type { PaginatedQueryReference } from "convex/react";
import type {
  FunctionArgs,
  FunctionReference,
  FunctionReturnType,
  GenericDataModel,
  PaginationResult,
} from "convex/server";
import { api, internal } from "../convex/_generated/api.js";
import type {
  DataModel,
  Doc,
  Id,
  TableNames,
} from "../convex/_generated/dataModel.js";
import type {
  ActionCtx,
  DatabaseReader,
  DatabaseWriter,
  MutationCtx,
  QueryCtx,
} from "../convex/_generated/server.js";

type Same<A, B> =
  (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2
    ? true
    : false;
function same<A, B>(proof: Same<A, B>): void {
  void proof;
}

type Message = {
  _id: Id<"messages">;
  _creationTime: number;
  channel: Id<"channels">;
  body: string;
  author: { name: string; age?: number };
  status: "draft" | "sent";
  reactions: Record<string, number>;
  seenBy: Record<Id<"users">, boolean>;
  embedding?: Array<number>;
};
same<Doc<"messages">, Message>(true);
same<Doc<"anything">, any>(true);
same<
  Doc<"events">,
  | {
      _id: Id<"events">;
      _creationTime: number;
      kind: "joined";
      user: Id<"users">;
    }
  | { _id: Id<"events">; _creationTime: number; kind: "renamed"; to: string }
>(true);
same<
  TableNames,
  "anything" | "channels" | "events" | "messages" | "users"
>(true);

// Hooks

export function Hooks({ channel }: { channel: Id<"channels"> }) {
  const messages = useQuery(api.messages.list, { channel });
  same<typeof messages, Array<Message> | undefined>(true);
  same<typeof messages, Array<Doc<"messages">> | undefined>(true);
  useQuery(api.messages.list, { channel, limit: 3 });
  useQuery(api.messages.list, "skip");
  same<ReturnType<typeof useChannels>, Array<Doc<"channels">> | undefined>(true);
  const newest = useQuery(api.messages.newest, {});
  same<typeof newest, Message | null | undefined>(true);

  const send = useMutation(api.messages.send);
  const sent = send({ channel, body: "hi" });
  same<typeof sent, Promise<Id<"messages">>>(true);
  void send({ channel, body: "hi", author: null });
  void useMutation(api.messages.send).withOptimisticUpdate((store, args) => {
    same<typeof args.body, string>(true);
    const shown = store.getQuery(api.messages.list, { channel: args.channel });
    if (shown !== undefined) {
      store.setQuery(api.messages.list, { channel: args.channel }, shown);
    }
  });
  const removed = useMutation(api.messages.remove);
  same<ReturnType<typeof removed>, Promise<null>>(true);

  const { results, loadMore, status } = usePaginatedQuery(
    api.messages.page,
    { channel },
    { initialNumItems: 5 },
  );
  same<typeof results, Message[]>(true);
  if (status === "CanLoadMore") loadMore(5);
  same<(typeof results)[0]["_id"], Id<"messages">>(true);
  usePaginatedQuery(api.messages.page, "skip", { initialNumItems: 5 });
  const names = usePaginatedQuery(
    api.messages.names,
    {},
    { initialNumItems: 1 },
  );
  same<typeof names.results, any[]>(true);

  const summarize = useAction(api.messages.summarize);
  same<ReturnType<typeof summarize>, Promise<Record<string, number>>>(true);
  useQueries({ a: { query: api.messages.channels, args: {} } });

  return (
    <ul>
      {messages?.map((message) => (
        <li key={message._id} onClick={() => void removed({ message: message._id })}>
          {message.author.name}: {message.body}
        </li>
      ))}
    </ul>
  );
}

function useChannels() {
  return useQuery(api.messages.channels);
}

// The other clients

export async function clients(channel: Id<"channels">, user: Id<"users">) {
  const http = new ConvexHttpClient("https://api.example.com");
  const messages = await http.query(api.messages.list, { channel });
  same<typeof messages, Array<Message>>(true);
  const page = await http.query(api.messages.page, {
    channel,
    paginationOpts: { numItems: 3, cursor: null },
  });
  same<typeof page, PaginationResult<Message>>(true);
  const id = await http.mutation(api.messages.send, { channel, body: "" });
  same<typeof id, Id<"messages">>(true);
  const file = await http.action(api.messages.upload, {
    content: new ArrayBuffer(1),
  });
  same<typeof file, Id<"_storage">>(true);
  await http.query(api.messages.unchecked, { anything: [1, user] });
  same<FunctionReturnType<typeof api.messages.unchecked>, any>(true);

  const live = new ConvexClient("https://api.example.com");
  live.onUpdate(api.messages.list, { channel }, (found) => {
    same<typeof found, Array<Message>>(true);
    const first = found[0];
    if (first?.embedding !== undefined) first.embedding.push(1);
  });
  live.onUpdate(api.messages.events, {}, (found) => {
    for (const event of found) {
      if (event.kind === "joined") same<typeof event.user, Id<"users">>(true);
      else same<typeof event.to, string>(true);
    }
  });
}

// Every kind of value

type Kinds = {
  text: string;
  number: number;
  whole: number;
  large: bigint;
  flag: boolean;
  nothing: null;
  raw: ArrayBuffer;
  anything: any;
  user: Id<"users">;
  file: Id<"_storage">;
  job: Id<"_scheduled_functions">;
  items: Array<{ a: string; b?: number | null }>;
  byName: Record<string, Array<bigint>>;
  byUser: Record<Id<"users">, string>;
  one: "one";
  some: "a" | 2 | true | 3n | null;
  either: { kind: "x" } | { kind: "y"; y: number };
  maybe?: string;
  "two words": string;
  class: string;
};
same<FunctionArgs<typeof api.kinds.echo>, Kinds>(true);
same<FunctionReturnType<typeof api.kinds.echo>, Kinds>(true);
same<
  FunctionArgs<typeof api.kinds.annotated>,
  {
    color: "red" | "green";
    size: { width: number; depth?: number };
    profile: {
      name: string;
      level?: number;
      tags?: Array<string>;
      note?: string;
    };
    mode: "fast" | "slow";
    channel: Id<"channels"> | null;
    file?: Id<"_storage">;
    job?: Id<"_scheduled_functions"> | null;
  }
>(true);
// What has a default is always there in a result.
same<
  FunctionReturnType<typeof api.kinds.annotated>,
  { name: string; level: number; tags: Array<string>; note?: string }
>(true);
same<FunctionReturnType<typeof api.kinds.large>, bigint>(true);
same<
  FunctionReturnType<typeof api.kinds.parts>,
  Record<string, Doc<"users"> | null>
>(true);

// Names

same<FunctionReturnType<typeof api.kinds.default>, "the default">(true);
same<FunctionReturnType<typeof api.shop.open_now>, boolean>(true);
same<FunctionReturnType<typeof api.shop.stock>, string>(true);
same<
  FunctionReturnType<typeof api.shop.stock.queries.get>,
  number | null
>(true);
same<
  typeof internal.messages.sweep,
  FunctionReference<"mutation", "internal", { before: number }, number>
>(true);

// Code that is generic

const paginated: PaginatedQueryReference = api.messages.page;
const queries: Array<FunctionReference<"query">> = [
  api.messages.list,
  api.kinds.echo,
];
function tableOf<Table extends TableNames>(table: Table, doc: Doc<Table>) {
  return [table, doc];
}
void [paginated, queries, tableOf];

// The data model

const model: GenericDataModel = {} as DataModel;
same<
  DataModel["messages"]["indexes"],
  {
    by_id: ["_id"];
    by_creation_time: ["_creationTime"];
    by_channel: ["channel", "author.name", "_creationTime"];
  }
>(true);
same<
  DataModel["messages"]["searchIndexes"],
  {
    search_body: { searchField: "body"; filterFields: "channel" | "status" };
  }
>(true);
same<
  DataModel["messages"]["vectorIndexes"]["by_embedding"]["filterFields"],
  never
>(true);
export async function server(
  q: QueryCtx,
  m: MutationCtx,
  a: ActionCtx,
  channel: Id<"channels">,
) {
  const found = await q.db
    .query("messages")
    .withIndex("by_channel", (range) =>
      range.eq("channel", channel).eq("author.name", "Ada"),
    )
    .collect();
  same<typeof found, Array<Message>>(true);
  await q.db
    .query("messages")
    .withSearchIndex("search_body", (search) =>
      search.search("body", "hi").eq("status", "sent"),
    )
    .first();
  await m.db.insert("channels", { name: "x", archived: null });
  const reader: DatabaseReader = q.db;
  const writer: DatabaseWriter = m.db;
  await a.runMutation(internal.messages.sweep, { before: 0 });
  return [reader, writer, model];
}
