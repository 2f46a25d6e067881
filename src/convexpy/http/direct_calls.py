"""Queries and mutations over HTTP without ASGI: most calls are alike, and half of what they cost was messages and tasks.

A request is direct if it is a POST to one of two paths, carries plain JSON of known length, has no headers of a user, a web
page or a proxy, and is for a host that the server answers to. All other requests go through ASGI, with the same result.
"""

from __future__ import annotations

from collections.abc import Callable

from convexpy.http.failures import failure_response
from convexpy.http.function_api import FunctionApi
from convexpy.http.messages import Headers, Response
from convexpy.http.request_guard import RequestGuard
from convexpy.http.running import RunningRequests, refusal
from convexpy.limits import USER_AGENT_LENGTH_MAX
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
Respond = Callable[[Response], None]


class DirectCalls:
    """Recognizes direct calls and runs them."""

    def __init__(self, functions: FunctionApi, running: RunningRequests, guard: RequestGuard) -> None:
        self._functions = functions
        self._running = running
        self._guard = guard

    def kind(self, method: bytes, url: bytes, headers: Headers) -> Kind | None:
        """Return what a direct request calls; None for any other request."""
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
        return kind if is_direct else None

    def begin(
        self, kind: Kind, headers: Headers, body: bytes, client_address: str | None, respond: Respond
    ) -> None:
        """Run a direct call; `respond` is called once."""
        call = _Call(f"/api/{kind}", self._running, respond)
        self._running.add(call)
        found = dict(headers)
        agent = found.get(b"user-agent")
        try:
            self._functions.call_directly(
                kind,
                body,
                call.respond,
                request_id=found.get(b"convex-request-id"),
                client_address=client_address,
                user_agent=None if agent is None else agent[:USER_AGENT_LENGTH_MAX].decode("latin-1"),
            )
        except Exception as error:  # noqa: BLE001 - the edge of a request: this is its response
            call.respond(failure_response(error, "POST", call.path))


class _Call:
    """A call under way, which the stop of the server may cut."""

    __slots__ = ("_respond", "_running", "path")

    def __init__(self, path: str, running: RunningRequests, respond: Respond) -> None:
        self.path = path
        self._running = running
        self._respond: Respond | None = respond

    def respond(self, response: Response) -> None:
        """Send the response, if none was sent."""
        send, self._respond = self._respond, None
        if send is not None:
            self._running.end(self)
            send(response)

    def cancel(self) -> None:
        """Answer that the server did not wait."""
        self.respond(failure_response(refusal(), "POST", self.path))
