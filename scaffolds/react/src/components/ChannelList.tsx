import { useMutation } from "convex/react";
import { useState, type FormEvent } from "react";
import { api } from "../../{{functions}}/_generated/api";
import type { Doc, Id } from "../../{{functions}}/_generated/dataModel";
import { messageOf } from "../errors";
import { channelAddress } from "../useChosenChannel";

type Props = {
  channels: Doc<"channels">[] | undefined;
  current: Id<"channels"> | undefined;
  author: string | undefined;
};

/** The channels as links, and a field for a new one. */
export function ChannelList({ channels, current, author }: Props) {
  const create = useMutation(api.channels.create);
  const [problem, setProblem] = useState("");

  const add = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = event.currentTarget;
    const name = String(new FormData(form).get("channel")).trim();
    if (name === "") return;
    try {
      await create({ name, author });
      form.reset();
      setProblem("");
      window.location.hash = channelAddress(name.replace(/^#+/, ""));
    } catch (error) {
      setProblem(messageOf(error));
    }
  };

  return (
    <section>
      <h2>Channels</h2>
      <ul>
        {channels?.map((channel) => (
          <li key={channel._id}>
            <a href={channelAddress(channel.name)} aria-current={channel._id === current ? "page" : undefined}>
              # {channel.name}
            </a>
          </li>
        ))}
      </ul>
      <form onSubmit={add}>
        <input name="channel" aria-label="New channel" placeholder="New channel" maxLength={40} autoComplete="off" />
        <button type="submit" aria-label="Make the channel">
          +
        </button>
      </form>
      {problem !== "" && <p role="alert">{problem}</p>}
    </section>
  );
}
