import { insertAtTop, useMutation } from "convex/react";
import { api } from "../{{functions}}/_generated/api";
import type { Doc, Id } from "../{{functions}}/_generated/dataModel";

const PENDING = "pending-";

/** Whether a message is shown already, but not known to be stored. */
export function isPending(message: Doc<"messages">): boolean {
  return message._id.startsWith(PENDING);
}

/** Returns a function that sends a message and shows it at once, before the deployment has it. */
export function useSendMessage(me: string) {
  return useMutation(api.messages.send).withOptimisticUpdate((store, { channelId, body }) => {
    // Runs again whenever the pages change, until the message itself is in them.
    const shown = store.getAllQueries(api.messages.page).flatMap(({ value }) => value?.page ?? []);
    insertAtTop({
      paginatedQuery: api.messages.page,
      argsToMatch: { channelId },
      localQueryStore: store,
      item: {
        _id: `${PENDING}${shown.filter(isPending).length}` as Id<"messages">,
        _creationTime: Date.now(),
        channelId,
        userId: PENDING as Id<"users">,
        author: me,
        body,
      },
    });
  });
}
