import { ConvexError } from "convex/values";
import { AuthError } from "./auth-client.js";

/** What to tell a person: the `message` that a function refused with, else the error's own. */
export function messageOf(error: unknown): string {
  const data: unknown = error instanceof ConvexError || error instanceof AuthError ? error.data : undefined;
  if (typeof data === "object" && data !== null && "message" in data) return String(data.message);
  return error instanceof Error ? error.message : String(error);
}
