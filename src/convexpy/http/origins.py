"""Web origins that may call the API: for deployments that do not want to be called from every page."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable

from convexpy.http.messages import Receive, Scope, Send

AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]


class AllowedOrigins:
    """Wraps the API's application: pages of other origins get no CORS headers and no socket.

    Requests without an `Origin` header are not a browser's cross-origin requests and pass. HTTP actions (`/http/…`) pass
    too: CORS is their app's own business.
    """

    def __init__(self, app: AsgiApp, origins: Iterable[str]) -> None:
        self._app = app
        self._origins = {origin.rstrip("/").lower().encode() for origin in origins}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or socket (called by the ASGI server)."""
        origin = next((value for name, value in scope.get("headers", ()) if name == b"origin"), None)
        if origin is None or origin.lower() in self._origins or scope.get("path", "").startswith("/http/"):
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008, "reason": "this origin is not allowed"})
        else:
            headers = [(name, value) for name, value in scope["headers"] if name != b"origin"]
            await self._app({**scope, "headers": headers}, receive, send)
