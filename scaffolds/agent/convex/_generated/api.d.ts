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
  agent: {
    run: FunctionReference<"action", "public", { sessionId: Id<"sessions">; prompt: string }, Record<string, any>>;
  };
  artifacts: {
    list: FunctionReference<"query", "public", { sessionId: Id<"sessions"> }, Array<Record<string, any>>>;
    remove: FunctionReference<"mutation", "public", { artifactId: Id<"artifacts"> }, null>;
    save: FunctionReference<"mutation", "public", { sessionId: Id<"sessions">; storageId: Id<"_storage">; filename: string }, Id<"artifacts">>;
    upload_url: FunctionReference<"mutation", "public", { sessionId: Id<"sessions"> }, string>;
  };
  messages: {
    page: FunctionReference<"query", "public", { sessionId: Id<"sessions">; paginationOpts: PaginationOptions }, PaginationResult<Doc<"messages">>>;
  };
  sessions: {
    create: FunctionReference<"mutation", "public", { workspaceId: Id<"workspaces">; name: string }, Id<"sessions">>;
    get: FunctionReference<"query", "public", { sessionId: Id<"sessions"> }, Doc<"sessions"> | null>;
    list: FunctionReference<"query", "public", { workspaceId: Id<"workspaces"> }, Array<Doc<"sessions">>>;
  };
  steps: {
    list: FunctionReference<"query", "public", { sessionId: Id<"sessions"> }, Array<Doc<"steps">>>;
  };
  users: {
    enter: FunctionReference<"mutation", "public", {}, Id<"users">>;
    me: FunctionReference<"query", "public", {}, Doc<"users"> | null>;
  };
  workspaces: {
    create: FunctionReference<"mutation", "public", { name: string }, Id<"workspaces">>;
    list: FunctionReference<"query", "public", {}, Array<Record<string, any>>>;
    set_role: FunctionReference<"mutation", "public", { workspaceId: Id<"workspaces">; userId: Id<"users">; role: "owner" | "admin" | "member" | null }, null>;
  };
};

/** Functions that only the app itself may call. */
export declare const internal: {
  agent: {
    run_later: FunctionReference<"action", "internal", { sessionId: Id<"sessions">; prompt: string }, null>;
  };
  artifacts: {
    checkpoint: FunctionReference<"mutation", "internal", { sessionId: Id<"sessions">; storageId: Id<"_storage"> }, number>;
    keep: FunctionReference<"mutation", "internal", { sessionId: Id<"sessions">; storageId: Id<"_storage">; filename: string }, Id<"artifacts">>;
    newest_checkpoint: FunctionReference<"query", "internal", { sessionId: Id<"sessions"> }, Id<"_storage"> | null>;
  };
  maintenance: {
    check_session: FunctionReference<"mutation", "internal", { sessionId: Id<"sessions"> }, null>;
    daily_report: FunctionReference<"mutation", "internal", {}, null>;
    delete_old_sessions: FunctionReference<"mutation", "internal", {}, number>;
    end_hung_sessions: FunctionReference<"mutation", "internal", {}, number>;
    health: FunctionReference<"mutation", "internal", {}, null>;
  };
  messages: {
    for_agent: FunctionReference<"query", "internal", { sessionId: Id<"sessions"> }, Array<Record<string, string>>>;
  };
  sessions: {
    begin: FunctionReference<"mutation", "internal", { sessionId: Id<"sessions">; prompt: string }, null>;
    finish: FunctionReference<"mutation", "internal", { sessionId: Id<"sessions">; status: "completed" | "failed"; result?: string; error?: string | null }, boolean>;
    for_agent: FunctionReference<"query", "internal", { sessionId: Id<"sessions"> }, Doc<"sessions"> | null>;
  };
  steps: {
    begin: FunctionReference<"mutation", "internal", { sessionId: Id<"sessions">; title: string; detail: string }, Id<"steps">>;
    end: FunctionReference<"mutation", "internal", { stepId: Id<"steps">; state: "done" | "failed"; output: string }, null>;
    interrupt: FunctionReference<"mutation", "internal", { sessionId: Id<"sessions"> }, null>;
    say: FunctionReference<"mutation", "internal", { sessionId: Id<"sessions">; content: string; messageId?: Id<"messages"> | null }, Id<"messages"> | null>;
  };
  users: {
    save: FunctionReference<"mutation", "internal", { tokenIdentifier: string; name: string; email?: string | null }, Id<"users">>;
  };
};
