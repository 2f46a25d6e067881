"""Running HTTP actions: from a request frame to Starlette's `Request`, and from its `Response` to a reply frame."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from convexpy.errors import LimitExceeded
from convexpy.functions import ActionCtx, CorsRule, HttpRouter
from convexpy.protocol.http_frames import HttpCall, HttpReply

if TYPE_CHECKING:
    from starlette.responses import Response

BODY_BYTES_MAX = 20 * 1024 * 1024
TEXT = (b"content-type", b"text/plain; charset=utf-8")
NO_ROUTE = HttpReply(404, [TEXT], b"No matching routes found")
NOT_ENABLED = HttpReply(404, [TEXT], b"This Convex deployment does not have HTTP actions enabled.")


def _scope(call: HttpCall) -> dict[str, Any]:
    host, _, port = call.host.rpartition(":")
    server = (
        (host, int(port)) if host and port.isdecimal() else (call.host, 443 if call.scheme == "https" else 80)
    )
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": call.method,
        "scheme": call.scheme,
        "path": call.path,
        "raw_path": call.path.encode("latin-1", "replace"),
        "query_string": call.query,
        "root_path": "",
        "headers": call.headers,
        "client": (call.client, 0),
        "server": server,
    }


async def _collect(response: Response, scope: dict[str, Any], path: str) -> HttpReply:
    """Run a response to its end and return what it sent."""
    status, headers, parts, size = 200, [], [], 0

    async def send(message: Any) -> None:
        nonlocal status, headers, size
        if message["type"] == "http.response.start":
            status, headers = message["status"], list(message["headers"])
        elif message["type"] == "http.response.body":
            part = message.get("body", b"")
            parts.append(part)
            size += len(part)
            if size > BODY_BYTES_MAX:
                raise LimitExceeded(
                    f"the response of {path} is larger than the limit http_body_bytes: {BODY_BYTES_MAX}",
                    limit="http_body_bytes",
                )

    async def receive() -> Any:
        return {"type": "http.disconnect"}

    await response(scope, receive, send)
    return HttpReply(status, headers, b"".join(parts))


def _header(call: HttpCall, name: bytes) -> bytes | None:
    return next((value for key, value in call.headers if key == name), None)


def _allowed_origin(rule: CorsRule, call: HttpCall) -> bytes | None:
    origin = _header(call, b"origin")
    if origin is None:
        return None
    return origin if "*" in rule.origins or origin.decode("latin-1") in rule.origins else None


def _preflight(router: HttpRouter, rule: CorsRule, call: HttpCall) -> HttpReply:
    origin = _allowed_origin(rule, call)
    if origin is None:
        return HttpReply(403, [TEXT], b"This origin is not allowed")
    methods = sorted(
        {route.method for route in router.routes if router.match(route.method, call.path) is route}
    )
    headers = [
        (b"access-control-allow-origin", origin),
        (b"access-control-allow-methods", ", ".join(methods).encode()),
        (b"access-control-allow-headers", ", ".join(rule.headers).encode()),
        (b"access-control-max-age", str(rule.max_age_s).encode()),
        (b"vary", b"origin"),
    ]
    return HttpReply(204, headers, b"")


async def respond(router: HttpRouter | None, ctx: ActionCtx, call: HttpCall) -> HttpReply:
    """Answer a request: with the route's handler, a preflight of a CORS rule, or 404."""
    from starlette.requests import Request

    if router is None:
        return NOT_ENABLED
    rule = router.cors_for(call.path)
    route = router.match(call.method, call.path)
    if route is None:
        asks = _header(call, b"access-control-request-method") is not None
        preflight = call.method == "OPTIONS" and rule is not None and asks
        return _preflight(router, rule, call) if preflight and rule is not None else NO_ROUTE
    scope = _scope(call)
    sent = False

    async def receive() -> Any:
        nonlocal sent
        if sent:
            return {"type": "http.disconnect"}
        sent = True
        return {"type": "http.request", "body": call.body, "more_body": False}

    response = await route.handler(ctx, Request(scope, receive))
    reply = await _collect(response, scope, call.path)
    if rule is not None and (origin := _allowed_origin(rule, call)) is not None:
        reply = HttpReply(
            reply.status,
            [*reply.headers, (b"access-control-allow-origin", origin), (b"vary", b"origin")],
            reply.body,
        )
    return reply
