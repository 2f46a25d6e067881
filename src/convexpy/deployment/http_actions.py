"""HTTP actions from the server's side: a request in, the app's response out."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from convexpy.auth import ANONYMOUS, Caller
from convexpy.deployment.outcome import Outcome, new_request_id
from convexpy.logs import Completion
from convexpy.protocol.frames import Call
from convexpy.protocol.http_frames import HttpCall, HttpReply, decode_reply, encode

if TYPE_CHECKING:
    import asyncio

    from convexpy.deployment.deployment import Deployment

JSON = (b"content-type", b"application/json")
NOT_ENABLED = HttpReply(
    404,
    [(b"content-type", b"text/plain; charset=utf-8")],
    b"This Convex deployment does not have HTTP actions enabled.",
)


class HttpActions:
    """Runs the app's HTTP actions."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment

    async def respond(
        self, loop: asyncio.AbstractEventLoop, request: HttpCall, caller: Caller = ANONYMOUS
    ) -> HttpReply:
        """Return the app's response; a handler that fails is a 500."""
        deployment = self._deployment
        if not deployment.live.registry.description["http"]:
            return NOT_ENABLED
        request_id = new_request_id()
        name = f"{request.method} {request.path}"
        call = Call(
            deployment.functions.next_call(),
            "http",
            name,
            encode(request),
            request_id,
            deployment.clock.now_ns() // 1_000_000,
            caller.claims or None,
            token_error=caller.token_error,
            client_address=request.client,
            user_agent=next(
                (value.decode("latin-1") for key, value in request.headers if key == b"user-agent"), None
            ),
        )
        future: asyncio.Future[Outcome] = loop.create_future()
        deployment.live.actions.submit(call, future.set_result)
        outcome = await future
        reply = self._reply(outcome, request_id)
        failure = outcome.failure
        deployment.log.completion(
            Completion(
                "HttpAction",
                name,
                request_id,
                outcome.seconds,
                [],
                None if failure is None else failure.traceback or failure.detail,
                "HttpEndpoint",
                caller.described,
                return_bytes=len(reply.body),
                success={"status": str(reply.status)},
            )
        )
        return reply

    def _reply(self, outcome: Outcome, request_id: str) -> HttpReply:
        failure = outcome.failure
        if failure is None:
            return decode_reply(outcome.value)
        first = f"[Request ID: {request_id}] Server Error"
        body: dict[str, object] = {"code": first}
        if not self._deployment.settings.redact:
            body = {"code": f"{first}: {failure.detail}", "trace": failure.traceback}
        if failure.data is not None:
            body["data"] = json.loads(failure.data)
        return HttpReply(500, [JSON], json.dumps(body).encode())
