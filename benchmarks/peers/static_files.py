"""The peer of bench_storage: Starlette under uvicorn, which serves a folder and writes what is posted into it.

It does what a person would write at first: the stock `StaticFiles` for downloads; for uploads a loop that writes each
piece as it comes, then one sync. No digest, no database.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from pathlib import Path

import uvicorn
import uvloop
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

FOLDER = Path(sys.argv[1])


async def upload(request: Request) -> Response:
    """Write the body to a file."""
    with (FOLDER / request.path_params["name"]).open("wb") as file:
        async for chunk in request.stream():
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())
    return Response(status_code=200)


def main() -> None:
    """Serve until the end of standard input's other side, or Ctrl-C."""
    sock = socket.create_server(("127.0.0.1", 0))
    print(json.dumps({"url": f"http://127.0.0.1:{sock.getsockname()[1]}"}), flush=True)
    app = Starlette(
        routes=[Route("/{name}", upload, methods=["POST"]), Mount("/", StaticFiles(directory=FOLDER))]
    )
    config = uvicorn.Config(
        app, http="httptools", loop="none", access_log=False, log_level="warning", lifespan="off"
    )
    uvloop.run(uvicorn.Server(config).serve(sockets=[sock]))


if __name__ == "__main__":
    main()
