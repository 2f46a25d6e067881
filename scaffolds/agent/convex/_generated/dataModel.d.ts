/* eslint-disable */
/**
 * Documents and ids of the tables.
 *
 * Written by `convexpy codegen` from schema.py. Do not edit.
 */
import type { DocumentByName, SystemTableNames, TableNamesInDataModel } from "convex/server";
import type { GenericId } from "convex/values";

/** Per table: its documents, the paths of their fields, and its indexes. */
export type DataModel = {
  artifacts: {
    document: { _id: Id<"artifacts">; _creationTime: number; sessionId: Id<"sessions">; storageId: Id<"_storage">; filename: string; contentType: string; size: number };
    fieldPaths: "_creationTime" | "_id" | "contentType" | "filename" | "sessionId" | "size" | "storageId";
    indexes: {
      by_id: ["_id"];
      by_creation_time: ["_creationTime"];
      by_session: ["sessionId", "_creationTime"];
    };
    searchIndexes: {};
    vectorIndexes: {};
  };
  checkpoints: {
    document: { _id: Id<"checkpoints">; _creationTime: number; sessionId: Id<"sessions">; storageId: Id<"_storage">; version: number };
    fieldPaths: "_creationTime" | "_id" | "sessionId" | "storageId" | "version";
    indexes: {
      by_id: ["_id"];
      by_creation_time: ["_creationTime"];
      by_session_version: ["sessionId", "version", "_creationTime"];
    };
    searchIndexes: {};
    vectorIndexes: {};
  };
  health: {
    document: { _id: Id<"health">; _creationTime: number; checkedAt: number; running: number };
    fieldPaths: "_creationTime" | "_id" | "checkedAt" | "running";
    indexes: {
      by_id: ["_id"];
      by_creation_time: ["_creationTime"];
    };
    searchIndexes: {};
    vectorIndexes: {};
  };
  memberships: {
    document: { _id: Id<"memberships">; _creationTime: number; workspaceId: Id<"workspaces">; userId: Id<"users">; role: "owner" | "admin" | "member" };
    fieldPaths: "_creationTime" | "_id" | "role" | "userId" | "workspaceId";
    indexes: {
      by_id: ["_id"];
      by_creation_time: ["_creationTime"];
      by_user: ["userId", "_creationTime"];
      by_workspace_user: ["workspaceId", "userId", "_creationTime"];
    };
    searchIndexes: {};
    vectorIndexes: {};
  };
  messages: {
    document: { _id: Id<"messages">; _creationTime: number; sessionId: Id<"sessions">; role: "user" | "assistant" | "system"; content: string };
    fieldPaths: "_creationTime" | "_id" | "content" | "role" | "sessionId";
    indexes: {
      by_id: ["_id"];
      by_creation_time: ["_creationTime"];
      by_session: ["sessionId", "_creationTime"];
    };
    searchIndexes: {};
    vectorIndexes: {};
  };
  rateLimits: {
    document: { _id: Id<"rateLimits">; _creationTime: number; name: string; key: string | null; value: number; ts: number };
    fieldPaths: "_creationTime" | "_id" | "key" | "name" | "ts" | "value";
    indexes: {
      by_id: ["_id"];
      by_creation_time: ["_creationTime"];
      by_name_and_key: ["name", "key", "_creationTime"];
    };
    searchIndexes: {};
    vectorIndexes: {};
  };
  reports: {
    document: { _id: Id<"reports">; _creationTime: number; day: string; sessions: number; failed: number };
    fieldPaths: "_creationTime" | "_id" | "day" | "failed" | "sessions";
    indexes: {
      by_id: ["_id"];
      by_creation_time: ["_creationTime"];
      by_day: ["day", "_creationTime"];
    };
    searchIndexes: {};
    vectorIndexes: {};
  };
  sessions: {
    document: { _id: Id<"sessions">; _creationTime: number; workspaceId: Id<"workspaces">; createdBy: Id<"users">; name: string; status: "pending" | "running" | "completed" | "failed"; error?: string; lastActiveAt: number };
    fieldPaths: "_creationTime" | "_id" | "createdBy" | "error" | "lastActiveAt" | "name" | "status" | "workspaceId";
    indexes: {
      by_id: ["_id"];
      by_creation_time: ["_creationTime"];
      by_workspace: ["workspaceId", "_creationTime"];
      by_status_lastActive: ["status", "lastActiveAt", "_creationTime"];
    };
    searchIndexes: {};
    vectorIndexes: {};
  };
  steps: {
    document: { _id: Id<"steps">; _creationTime: number; sessionId: Id<"sessions">; title: string; detail: string; output?: string; state: "running" | "done" | "failed" };
    fieldPaths: "_creationTime" | "_id" | "detail" | "output" | "sessionId" | "state" | "title";
    indexes: {
      by_id: ["_id"];
      by_creation_time: ["_creationTime"];
      by_session: ["sessionId", "_creationTime"];
    };
    searchIndexes: {};
    vectorIndexes: {};
  };
  users: {
    document: { _id: Id<"users">; _creationTime: number; tokenIdentifier: string; name: string; email?: string };
    fieldPaths: "_creationTime" | "_id" | "email" | "name" | "tokenIdentifier";
    indexes: {
      by_id: ["_id"];
      by_creation_time: ["_creationTime"];
      by_tokenIdentifier: ["tokenIdentifier", "_creationTime"];
    };
    searchIndexes: {};
    vectorIndexes: {};
  };
  workspaces: {
    document: { _id: Id<"workspaces">; _creationTime: number; name: string; ownerId: Id<"users"> };
    fieldPaths: "_creationTime" | "_id" | "name" | "ownerId";
    indexes: {
      by_id: ["_id"];
      by_creation_time: ["_creationTime"];
    };
    searchIndexes: {};
    vectorIndexes: {};
  };
};

/** The names of the tables. */
export type TableNames = TableNamesInDataModel<DataModel>;

/** A document of a table: `Doc<"messages">`. */
export type Doc<TableName extends TableNames> = DocumentByName<DataModel, TableName>;

/** The id of a document of a table: `Id<"messages">`. A string that fits no other table. */
export type Id<TableName extends TableNames | SystemTableNames> = GenericId<TableName>;
