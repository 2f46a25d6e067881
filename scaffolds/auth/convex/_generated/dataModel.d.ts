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
  authAccounts: {
    document: { _id: Id<"authAccounts">; _creationTime: number; userId: Id<"users">; provider: string; providerAccountId: string; secret?: string; emailVerified?: string };
    fieldPaths: "_creationTime" | "_id" | "emailVerified" | "provider" | "providerAccountId" | "secret" | "userId";
    indexes: {
      by_id: ["_id"];
      by_creation_time: ["_creationTime"];
      by_provider: ["provider", "providerAccountId", "_creationTime"];
      by_user: ["userId", "_creationTime"];
      by_verified_email: ["emailVerified", "_creationTime"];
    };
    searchIndexes: {};
    vectorIndexes: {};
  };
  authCodes: {
    document: { _id: Id<"authCodes">; _creationTime: number; kind: string; email: string; digest: string; attempts: number; expirationTime: number; pending: any };
    fieldPaths: "_creationTime" | "_id" | "attempts" | "digest" | "email" | "expirationTime" | "kind" | "pending";
    indexes: {
      by_id: ["_id"];
      by_creation_time: ["_creationTime"];
      by_kind: ["kind", "email", "_creationTime"];
      by_digest: ["digest", "_creationTime"];
      by_expiration: ["expirationTime", "_creationTime"];
    };
    searchIndexes: {};
    vectorIndexes: {};
  };
  authFlows: {
    document: { _id: Id<"authFlows">; _creationTime: number; provider: string; verifierDigest: string; redirectTo: string; userId?: Id<"users">; browserDigest?: string; codeDigest?: string; profile?: any; expirationTime: number };
    fieldPaths: "_creationTime" | "_id" | "browserDigest" | "codeDigest" | "expirationTime" | "profile" | "provider" | "redirectTo" | "userId" | "verifierDigest";
    indexes: {
      by_id: ["_id"];
      by_creation_time: ["_creationTime"];
      by_code: ["codeDigest", "_creationTime"];
      by_expiration: ["expirationTime", "_creationTime"];
    };
    searchIndexes: {};
    vectorIndexes: {};
  };
  authRateLimits: {
    document: { _id: Id<"authRateLimits">; _creationTime: number; key: string; attempts: number; nextTime: number; lastTime: number };
    fieldPaths: "_creationTime" | "_id" | "attempts" | "key" | "lastTime" | "nextTime";
    indexes: {
      by_id: ["_id"];
      by_creation_time: ["_creationTime"];
      by_key: ["key", "_creationTime"];
      by_last_time: ["lastTime", "_creationTime"];
    };
    searchIndexes: {};
    vectorIndexes: {};
  };
  authSessions: {
    document: { _id: Id<"authSessions">; _creationTime: number; userId: Id<"users">; familyDigest: string; current: Array<string>; previous: Array<string>; rotatedTime: number; idleExpirationTime: number; expirationTime: number; userAgent?: string };
    fieldPaths: "_creationTime" | "_id" | "current" | "expirationTime" | "familyDigest" | "idleExpirationTime" | "previous" | "rotatedTime" | "userAgent" | "userId";
    indexes: {
      by_id: ["_id"];
      by_creation_time: ["_creationTime"];
      by_user: ["userId", "_creationTime"];
      by_expiration: ["expirationTime", "_creationTime"];
    };
    searchIndexes: {};
    vectorIndexes: {};
  };
  notes: {
    document: { _id: Id<"notes">; _creationTime: number; userId: Id<"users">; text: string };
    fieldPaths: "_creationTime" | "_id" | "text" | "userId";
    indexes: {
      by_id: ["_id"];
      by_creation_time: ["_creationTime"];
      by_user: ["userId", "_creationTime"];
    };
    searchIndexes: {};
    vectorIndexes: {};
  };
  users: {
    document: { _id: Id<"users">; _creationTime: number; name?: string; image?: string; email?: string; emailVerificationTime?: number };
    fieldPaths: "_creationTime" | "_id" | "email" | "emailVerificationTime" | "image" | "name";
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
