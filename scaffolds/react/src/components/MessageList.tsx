import { usePaginatedQuery } from "convex/react";
import { useEffect, useRef } from "react";
import { api } from "../../{{functions}}/_generated/api";
import type { Id } from "../../{{functions}}/_generated/dataModel";
import { isPending } from "../useSendMessage";
import { Message } from "./Message";

const PAGE = 20;

/** The messages of a channel, newest at the bottom. Every page that was loaded stays live. */
export function MessageList({ channelId }: { channelId: Id<"channels"> | undefined }) {
  const { results, status, loadMore } = usePaginatedQuery(
    api.messages.page,
    channelId === undefined ? "skip" : { channelId },
    { initialNumItems: PAGE },
  );
  const list = useRef<HTMLDivElement>(null);
  const newest = results[0];
  const sending = newest !== undefined && isPending(newest) ? newest._id : null;
  useEffect(() => {
    if (sending !== null) list.current?.scrollTo({ top: 0 }); // the end: the list is reversed
  }, [sending]);
  return (
    <div ref={list} className="messages" role="log" aria-label="Messages" tabIndex={0}>
      <div>
        <p className="older">
          {status === "CanLoadMore" || status === "LoadingMore" ? (
            <button onClick={() => loadMore(PAGE)} disabled={status === "LoadingMore"}>
              {status === "LoadingMore" ? "Loading…" : "Older messages"}
            </button>
          ) : (
            <span>{status === "LoadingFirstPage" ? "Loading…" : "The beginning of the channel"}</span>
          )}
        </p>
        <ol>
          {results.toReversed().map((message) => (
            <Message key={message._id} message={message} />
          ))}
        </ol>
      </div>
    </div>
  );
}
