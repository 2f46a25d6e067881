import { ConvexError } from "convex/values";

/** What to tell a person: the `message` that a function raised ConvexError with, else the error's own. */
export function messageOf(error: unknown): string {
  if (error instanceof ConvexError) {
    const data: unknown = error.data;
    if (typeof data === "object" && data !== null && "message" in data) return String(data.message);
    return String(data);
  }
  return error instanceof Error ? error.message : String(error);
}
