/* eslint-disable */
/**
 * References to the functions of the app: `useQuery(api.messages.list, {})`.
 *
 * Written by `convexpy codegen`. Do not edit.
 */
import type { FunctionReference, PaginationOptions, PaginationResult } from "convex/server";
import type { Doc, Id } from "./dataModel.js";

/** Functions that clients may call. */
export declare const api: {
  channels: {
    create: FunctionReference<"mutation", "public", { name: string; topic?: string | null }, Id<"channels">>;
    list: FunctionReference<"query", "public", {}, Array<Doc<"channels">>>;
  };
  messages: {
    list: FunctionReference<"query", "public", { channel: string; limit?: number }, Array<Doc<"messages">>>;
    page: FunctionReference<"query", "public", { channelId: Id<"channels">; paginationOpts: PaginationOptions }, PaginationResult<Doc<"messages">>>;
    send: FunctionReference<"mutation", "public", { channel: string; author: string; body: string }, Id<"messages">>;
  };
  users: {
    enter: FunctionReference<"mutation", "public", { name: string }, Id<"users">>;
    recent: FunctionReference<"query", "public", {}, Array<string>>;
  };
};

/** Functions that only the app itself may call. */
export declare const internal: {
  users: {
    mark_away: FunctionReference<"mutation", "internal", {}, null>;
  };
};
