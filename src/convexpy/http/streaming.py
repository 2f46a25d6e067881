"""Bodies that are not held in memory: downloads in parts, uploads as they come, ranges."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
from collections.abc import AsyncGenerator
from typing import NamedTuple

from convexpy.errors import Error, RequestError
from convexpy.http.messages import Headers, HttpRequest, Receive, Response, Send

logger: logging.Logger = logging.getLogger("convexpy.http")
CACHE = (b"cache-control", b"private, max-age=2592000")
_RANGE = re.compile(r"bytes\s*=\s*([0-9]{0,18})\s*-\s*([0-9]{0,18})\s*", re.IGNORECASE)


class Range(NamedTuple):
    """Bytes `start` to `end` (not included)."""

    start: int
    end: int


class FileResponse(Response):
    """A response whose body comes from the store."""

    __slots__ = ("chunks", "length")

    def __init__(
        self, status: int, headers: Headers, length: int, chunks: AsyncGenerator[bytes, None] | None
    ) -> None:
        super().__init__(status, b"", headers)
        self.length: int = length
        self.chunks: AsyncGenerator[bytes, None] | None = chunks

    async def send(self, receive: Receive, send: Send) -> None:
        """Send it, as fast as the client takes it; stop when it goes away."""
        headers = [*self.headers, (b"content-length", b"%d" % self.length)]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        if self.chunks is None:
            await send({"type": "http.response.body", "body": b""})
            return
        gone = asyncio.get_running_loop().create_task(_disconnected(receive))
        try:
            async with contextlib.aclosing(self.chunks) as chunks:
                left = self.length
                async for chunk in chunks:
                    if gone.done():
                        return
                    left -= len(chunk)
                    await send({"type": "http.response.body", "body": chunk, "more_body": left > 0})
        except (Error, OSError) as error:
            # The status is out: ending the connection early is all that can be said.
            logger.error("a download broke off: %s", error)
        finally:
            gone.cancel()


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def body_chunks(request: HttpRequest) -> AsyncGenerator[bytes, None]:
    """Yield the body as it comes; reading it lets the client send more.

    Raises:
        RequestError: the client went away, or sent nothing for so long that it counts as gone (408).
    """
    more = True
    while more:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise RequestError("the client went away", status=408, code="ClientDisconnected")
        more = bool(message.get("more_body"))
        if body := message.get("body"):
            yield body


def parse_range(header: str, size: int) -> Range | None:
    """Return the one range that is asked for; None when the header makes no sense and is to be ignored.

    Raises:
        RequestError: several ranges, or one beyond the end (416).
    """
    if "," in header:
        raise RequestError("only one range is served", status=416, code="RangeNotSatisfiable")
    found = _RANGE.fullmatch(header.strip())
    if found is None or not (found[1] or found[2]):
        return None
    if not found[1]:
        start, end = max(0, size - int(found[2])), size
    else:
        start, end = int(found[1]), size if not found[2] else int(found[2]) + 1
        if found[2] and end <= start:
            return None
    if start >= size:
        raise RequestError("the range is beyond the end", status=416, code="RangeNotSatisfiable")
    return Range(start, min(end, size))
