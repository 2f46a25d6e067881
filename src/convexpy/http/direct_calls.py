"""Queries and mutations over HTTP without ASGI: most calls are alike, and half of what they cost was messages and tasks.

A request is direct if it is a POST to one of two paths, carries plain JSON of known length, has no headers of a user, a web
page or a proxy, and is for a host that the server answers to. All other requests go through ASGI, with the same result.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

from convexpy.http.access_log import access_record
from convexpy.http.failures import failure_response
from convexpy.http.function_api import FunctionApi
from convexpy.http.messages import Headers, Response
from convexpy.http.request_guard import RequestGuard
from convexpy.http.running import RunningRequests, refusal
from convexpy.limits import HTTP_KNOWN_HEAD_BYTES_MAX, HTTP_KNOWN_HEADS_MAX, USER_AGENT_LENGTH_MAX
from convexpy.protocol.frames import Kind

_KINDS: dict[bytes, Kind] = {
    b"/api/query": "query",
    b"/api/query?format=json": "query",
    b"/api/mutation": "mutation",
    b"/api/mutation?format=json": "mutation",
}
_PLAIN = frozenset(
    (
        b"accept", b"accept-encoding", b"accept-language", b"connection", b"content-length", b"content-type",
        b"convex-client", b"convex-request-id", b"host", b"sec-fetch-mode", b"user-agent",
    )
)  # fmt: skip
BODY_BYTES_MAX = 64 * 1024
"""Larger bodies go through ASGI, which applies back-pressure."""
_JSON = b"content-type: application/json\r\n"
_END = b"\r\n\r\n"


class DirectHead(NamedTuple):
    """What the head of a direct request says."""

    kind: Kind
    length: int
    request_id: bytes | None
    user_agent: str | None


class DirectCall:
    """A call under way, which the stop of the server may cut. How its response leaves is the connection's business."""

    def __init__(self, head: DirectHead, running: RunningRequests) -> None:
        self.head = head
        self.response_complete: bool = False
        self.on_end: Callable[[int, int], None] | None = None
        """Told of status and size of the response, for an access log."""
        self._running = running

    def answer(self, body: bytes) -> None:
        """Send the JSON of an outcome, if nothing was sent."""
        if not self.response_complete:
            self.response_complete = True
            self._running.end(self)
            self.write(200, _JSON, body)
            if self.on_end is not None:
                self.on_end(200, len(body))

    def fail(self, error: Exception) -> None:
        """Send what an exception means, if nothing was sent."""
        if not self.response_complete:
            self.response_complete = True
            self._running.end(self)
            response: Response = failure_response(error, "POST", f"/api/{self.head.kind}")
            headers = b"".join([b"%s: %s\r\n" % header for header in response.headers])
            self.write(response.status, headers, response.body)
            if self.on_end is not None:
                self.on_end(response.status, len(response.body))

    def cancel(self) -> None:
        """Answer that the server did not wait."""
        self.fail(refusal())

    def write(self, status: int, headers: bytes, body: bytes) -> None:
        """Write a whole response."""
        raise NotImplementedError


class DirectCalls:
    """Recognizes direct calls and runs them; `write_access` gets a record of each."""

    def __init__(
        self,
        functions: FunctionApi,
        running: RunningRequests,
        guard: RequestGuard,
        write_access: Callable[[dict[str, Any]], None] | None = None,
    ) -> None:
        self._functions = functions
        self.running = running
        self._guard = guard
        self._write_access = write_access
        self._known: dict[bytes, DirectHead] = {}

    def known(self, data: bytes) -> tuple[DirectHead, bytes] | None:
        """Return head and body of a whole request whose head was parsed before: a client's heads are all alike."""
        end = data.find(_END) + len(_END)
        head = self._known.get(data[:end])
        return None if head is None or len(data) != end + head.length else (head, data[end:])

    def learn(self, data: bytes, head: DirectHead) -> None:
        """Keep the head of the one request that has been parsed in `data`, if there is nothing else in it."""
        end = len(data) - head.length
        if (
            head.request_id is None  # else it is like no other
            and end <= HTTP_KNOWN_HEAD_BYTES_MAX
            and data.find(_END) == end - len(_END)
        ):
            if len(self._known) >= HTTP_KNOWN_HEADS_MAX:
                self._known.clear()
            self._known[data[:end]] = head

    def head(self, method: bytes, url: bytes, headers: Headers) -> DirectHead | None:
        """Return what a direct request asks for; None for any other request."""
        kind = _KINDS.get(url)
        if kind is None or method != b"POST":
            return None
        found: dict[bytes, bytes] = {}
        for name, value in headers:
            if name not in _PLAIN or name in found:
                return None
            found[name] = value
        length = found.get(b"content-length", b"")
        is_direct = (
            found.get(b"content-type") == b"application/json"
            and length.isdigit()
            and len(length) < 6
            and int(length) <= BODY_BYTES_MAX
            and b"-" in found.get(b"convex-client", b"-")
            and found.get(b"connection", b"keep-alive").lower() == b"keep-alive"
            and self._guard.answers_to(found.get(b"host"))
        )
        if not is_direct:
            return None
        agent = found.get(b"user-agent")
        return DirectHead(
            kind,
            int(length),
            found.get(b"convex-request-id"),
            None if agent is None else agent[:USER_AGENT_LENGTH_MAX].decode("latin-1"),
        )

    def begin(self, call: DirectCall, body: bytes, client_address: str | None) -> None:
        """Run a direct call, which is answered once."""
        head = call.head
        self.running.add(call)
        if self._write_access is not None:
            call.on_end = self._access(self._write_access, head.kind, client_address)
        try:
            self._functions.call_directly(
                head.kind,
                body,
                call.answer,
                call.fail,
                request_id=head.request_id,
                client_address=client_address,
                user_agent=head.user_agent,
            )
        except Exception as error:  # noqa: BLE001 - the edge of a request: this is its response
            call.fail(error)

    @staticmethod
    def _access(
        write: Callable[[dict[str, Any]], None], kind: Kind, client: str | None
    ) -> Callable[[int, int], None]:
        started = time.perf_counter()
        return lambda status, size: write(
            access_record("POST", f"/api/{kind}", status, size, started, client)
        )
