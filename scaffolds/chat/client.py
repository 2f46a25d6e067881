"""A terminal client: shows a channel live, and sends what is typed.

    pip install convex
    python client.py NAME [CHANNEL]
"""

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


def show(client: ConvexClient, channel: str) -> None:
    """Print the messages of a channel, each once, as they come."""
    seen: set[str] = set()
    messages: Any
    for messages in client.subscribe("messages:list", {"channel": channel}):
        for message in messages:
            if message["_id"] not in seen:
                seen.add(message["_id"])
                print(f"{message['author']}: {message['body']}", flush=True)


def main() -> None:
    """Run until end-of-file or Ctrl-C."""
    if len(sys.argv) < 2:
        sys.exit("usage: python client.py NAME [CHANNEL]")
    author = sys.argv[1]
    channel = sys.argv[2] if len(sys.argv) > 2 else "general"
    client = ConvexClient(deployment_url())
    client.mutation("channels:create", {"name": channel})
    threading.Thread(target=show, args=(client, channel), daemon=True).start()
    print(f"#{channel} as {author}; type a message and press enter", flush=True)
    for line in sys.stdin:
        if line.strip():
            client.mutation("messages:send", {"channel": channel, "author": author, "body": line})


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        pass
