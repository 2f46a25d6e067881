import { useState, type FormEvent } from "react";
import type { Id } from "../../{{functions}}/_generated/dataModel";
import { messageOf } from "../errors";
import { useSendMessage } from "../useSendMessage";

type Props = { channelId: Id<"channels">; me: string; author: string | undefined };

/** The line to write on. A message that is refused comes back into it. */
export function Composer({ channelId, me, author }: Props) {
  const send = useSendMessage(me);
  const [draft, setDraft] = useState("");
  const [problem, setProblem] = useState("");

  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const body = draft.trim();
    if (body === "") return;
    setDraft("");
    setProblem("");
    try {
      await send({ channelId, body, author });
    } catch (error) {
      setDraft((newer) => (newer === "" ? body : newer));
      setProblem(messageOf(error));
    }
  };

  return (
    <form className="composer" onSubmit={submit}>
      {problem !== "" && <p role="alert">{problem}</p>}
      <input
        aria-label="Message"
        placeholder="Write a message"
        value={draft}
        onChange={(event) => setDraft(event.target.value)}
        autoComplete="off"
        autoFocus
      />
      <button type="submit">Send</button>
    </form>
  );
}
