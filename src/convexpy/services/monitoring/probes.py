"""What watches over a server ask it: is it there, may it get requests, how is it doing?"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

from convexpy.engine.identities import Identities
from convexpy.engine.versions import LiveVersion
from convexpy.http.identify import admin_for
from convexpy.http.messages import HttpRequest, Receive, Response, Scope, Send, text_response
from convexpy.http.routing import Routes

if TYPE_CHECKING:
    from convexpy.services.monitoring.metrics import Metrics


class Probes:
    """The routes of load balancers and monitoring."""

    def __init__(
        self, *, live: LiveVersion, identities: Identities, open_metrics: Callable[[], Metrics]
    ) -> None:
        """`open_metrics` makes the metrics; calls are counted from then on."""
        self._live = live
        self._identities = identities
        self._open_metrics = open_metrics
        self.stopping = False

    @cached_property
    def metrics(self) -> Metrics:
        """The metrics; calls are counted from the first look on."""
        return self._open_metrics()

    def routes(self) -> Routes:
        """Return the handlers."""
        return Routes(
            {
                ("GET", "/health"): self._health,
                ("GET", "/healthz"): self._health,
                ("GET", "/readyz"): self._ready,
                ("GET", "/metrics"): self._metrics_with_key,
            }
        )

    async def _health(self, request: HttpRequest) -> Response:
        """GET /health, /healthz: 200 while the process answers; names what is missing, with 503 if that lasts."""
        live = self._live
        missing = [] if self.stopping else live.missing()
        return text_response("\n".join(missing) or "ok", 503 if missing and live.missing_for_long else 200)

    async def _ready(self, request: HttpRequest) -> Response:
        """GET /readyz: 503 while calls would have to wait: at the stop, or without an executor, which it names."""
        if self.stopping:
            return text_response("stopping", 503)
        missing = self._live.missing()
        return text_response("\n".join(missing) or "ok", 503 if missing else 200)

    async def _metrics_with_key(self, request: HttpRequest) -> Response:
        """GET /metrics: only with an admin key that may read logs. How busy a service is, is nobody else's business."""
        await admin_for(self._identities, request, "logs:view")
        return self._text()

    def _text(self) -> Response:
        from convexpy.services.monitoring.metrics import CONTENT_TYPE

        return Response(200, self.metrics.render(), [(b"content-type", CONTENT_TYPE.encode())])

    async def without_key(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve `/metrics` and nothing else, to anybody: the application of a port of its own."""
        if scope["type"] != "http":
            return
        found = scope["path"] == "/metrics" and scope["method"] in ("GET", "HEAD")
        response = self._text() if found else text_response("only GET /metrics is here\n", 404)
        headers = [*response.headers, (b"content-length", b"%d" % len(response.body))]
        await send({"type": "http.response.start", "status": response.status, "headers": headers})
        await send(
            {"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else response.body}
        )
