import { useMutation, useQuery } from "convex/react";
import { useEffect } from "react";
import { api } from "../../{{functions}}/_generated/api";
import { useChosenChannel } from "../useChosenChannel";
import { ChannelList } from "./ChannelList";
import { Composer } from "./Composer";
import { MessageList } from "./MessageList";
import { PeopleList } from "./PeopleList";

const STILL_HERE_MS = 30_000;

/** Channels at the side, the messages of one of them, and a line to write on. */
export function Chat({ me, author }: { me: string; author: string | undefined }) {
  const enter = useMutation(api.users.enter);
  const channels = useQuery(api.channels.list);
  const chosen = useChosenChannel();
  const channel = channels?.find((each) => each.name === chosen) ?? channels?.[0];

  useEffect(() => {
    void enter({ author });
    const timer = setInterval(() => void enter({ author }), STILL_HERE_MS);
    return () => clearInterval(timer);
  }, [enter, author]);

  return (
    <div className="chat">
      <nav aria-label="Channels">
        <ChannelList channels={channels} current={channel?._id} author={author} />
        <PeopleList />
      </nav>
      <main>
        <h2>{channel ? `# ${channel.name}` : "…"}</h2>
        <MessageList key={channel?._id} channelId={channel?._id} />
        {channel && <Composer key={`to ${channel._id}`} channelId={channel._id} me={me} author={author} />}
      </main>
    </div>
  );
}
