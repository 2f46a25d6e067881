import type { Doc } from "../../{{functions}}/_generated/dataModel";
import { isPending } from "../useSendMessage";
import { Face } from "./Face";

/** One message. */
export function Message({ message }: { message: Doc<"messages"> }) {
  const sent = new Date(message._creationTime);
  const pending = isPending(message);
  return (
    <li className={pending ? "message pending" : "message"}>
      <Face name={message.author} />
      <div>
        <b>{message.author}</b>{" "}
        {pending ? (
          <small>sending…</small>
        ) : (
          <time dateTime={sent.toISOString()}>{sent.toLocaleTimeString([], TIME)}</time>
        )}
      </div>
      <p>{message.body}</p>
    </li>
  );
}

const TIME: Intl.DateTimeFormatOptions = { hour: "2-digit", minute: "2-digit" };
