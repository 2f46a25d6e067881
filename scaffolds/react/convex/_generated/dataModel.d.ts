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
  channels: {
    document: { _id: Id<"channels">; _creationTime: number; name: string };
    fieldPaths: "_creationTime" | "_id" | "name";
    indexes: {
      by_id: ["_id"];
      by_creation_time: ["_creationTime"];
      by_name: ["name", "_creationTime"];
    };
    searchIndexes: {};
    vectorIndexes: {};
  };
  messages: {
    document: { _id: Id<"messages">; _creationTime: number; channelId: Id<"channels">; userId: Id<"users">; author: string; body: string };
    fieldPaths: "_creationTime" | "_id" | "author" | "body" | "channelId" | "userId";
    indexes: {
      by_id: ["_id"];
      by_creation_time: ["_creationTime"];
      by_channel: ["channelId", "_creationTime"];
    };
    searchIndexes: {};
    vectorIndexes: {};
  };
  users: {
    document: { _id: Id<"users">; _creationTime: number; identifier: string; name: string; lastSeen: number; here: boolean };
    fieldPaths: "_creationTime" | "_id" | "here" | "identifier" | "lastSeen" | "name";
    indexes: {
      by_id: ["_id"];
      by_creation_time: ["_creationTime"];
      by_identifier: ["identifier", "_creationTime"];
      by_here: ["here", "lastSeen", "_creationTime"];
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
