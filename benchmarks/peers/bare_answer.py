"""The peer of bench_queries: uvicorn with httptools, which reads a POST and answers a few bytes of JSON. No database."""

from __future__ import annotations

import json
import socket
from typing import Any

import uvicorn
import uvloop

ANSWER = b'{"status":"success","value":{"balance":1000,"id":1},"logLines":[]}'
HEADERS = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(ANSWER))]


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Answer one request."""
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": ANSWER})


def main() -> None:
    """Serve until Ctrl-C."""
    sock = socket.create_server(("127.0.0.1", 0), backlog=2048)
    print(json.dumps({"url": f"http://127.0.0.1:{sock.getsockname()[1]}"}), flush=True)
    config = uvicorn.Config(
        app,
        http="httptools",
        loop="none",
        access_log=False,
        log_level="warning",
        lifespan="off",
        interface="asgi3",
    )
    uvloop.run(uvicorn.Server(config).serve(sockets=[sock]))


if __name__ == "__main__":
    main()
