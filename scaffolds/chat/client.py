"""A terminal client: shows a channel live, and sends what is typed.

    pip install convex
    python client.py NAME [CHANNEL]
"""

import asyncio
import os
import sys
import threading
from pathlib import Path
from typing import Any

from convex import ConvexClient


def deployment_url() -> str:
    """The URL from the environment, else from .env.local, where `convexpy dev` writes it."""
    if "CONVEX_URL" in os.environ:
        return os.environ["CONVEX_URL"]
    file = Path(__file__).with_name(".env.local")
    for line in file.read_text(encoding="utf-8").splitlines() if file.exists() else []:
        name, _, value = line.partition("=")
        if name.strip() == "CONVEX_URL":
            return value.strip().strip("'\"")
    return "http://127.0.0.1:3210"


async def show(client: ConvexClient, channel: str) -> None:
    """Print the messages of a channel, each once, as they come.

    `async for`, since a plain `for` over a subscription stops every other thread while it waits.
    """
    seen: set[str] = set()
    messages: Any
    async for messages in client.subscribe("messages:list", {"channel": channel}):
        for message in messages:
            if message["_id"] not in seen:
                seen.add(message["_id"])
                print(f"{message['author']}: {message['body']}", flush=True)


def read_lines(loop: asyncio.AbstractEventLoop, lines: asyncio.Queue[str | None]) -> None:
    """Hand typed lines to the event loop, and None at the end."""
    for line in sys.stdin:
        loop.call_soon_threadsafe(lines.put_nowait, line)
    loop.call_soon_threadsafe(lines.put_nowait, None)


async def chat(author: str, channel: str) -> None:
    """Show and send until end-of-file."""
    client = ConvexClient(deployment_url())
    client.mutation("channels:create", {"name": channel})
    showing = asyncio.create_task(show(client, channel))
    print(f"#{channel} as {author}; type a message and press enter", flush=True)
    lines: asyncio.Queue[str | None] = asyncio.Queue()
    threading.Thread(target=read_lines, args=(asyncio.get_running_loop(), lines), daemon=True).start()
    while (line := await lines.get()) is not None:
        if line.strip():
            client.mutation("messages:send", {"channel": channel, "author": author, "body": line})
    showing.cancel()


def main() -> None:
    """Run until end-of-file or Ctrl-C."""
    if len(sys.argv) < 2:
        sys.exit("usage: python client.py NAME [CHANNEL]")
    try:
        asyncio.run(chat(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "general"))
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
