"""The ASGI application of the API origin.

A bare callable with a dictionary of routes: a router library would cost more than the functions behind the hot routes.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable

from convexpy._version import __version__
from convexpy.engine.identities import Identities
from convexpy.errors import RequestError
from convexpy.http.failures import failure_response
from convexpy.http.identify import admin_for
from convexpy.http.messages import (
    HttpRequest,
    Receive,
    Response,
    Scope,
    Send,
    cors_headers,
    json_response,
    preflight,
    text_response,
)
from convexpy.http.routing import Handler, Routes, method_not_allowed
from convexpy.http.running import RunningRequests, refusal
from convexpy.http.site import BODILESS, SiteApp
from convexpy.http.socket import Sockets
from convexpy.http.streaming import FileResponse
from convexpy.limits import ECHO_BYTES_MAX

_SYNC = re.compile(r"/api(?:/([^/]+))?/sync")
_SLASHES = re.compile(r"//+")
UNSUPPORTED = (
    "/api/get_config_hashes", "/api/deploy2/", "/api/push_config", "/api/run_test_function", "/api/prepare_schema",
)  # fmt: skip


class ApiApp:
    """The API origin: the routes of the services, sync, HTTP actions below `/http/`."""

    def __init__(
        self,
        *,
        routes: Iterable[Routes],
        site: SiteApp,
        sockets: Sockets,
        running: RunningRequests,
        identities: Identities,
        deployment: str,
        cloud_url: str,
        site_url: str,
        body_bytes_max: int,
    ) -> None:
        """`site` serves paths with the prefix `/http`, `deployment` is the name."""
        self._site = site
        self._sockets = sockets
        self._running = running
        self._identities = identities
        self._name = deployment
        self._urls = {"convexCloudUrl": cloud_url, "convexSiteUrl": site_url}
        self._body_max = body_bytes_max
        self._routes: dict[tuple[str, str], Handler] = {
            ("POST", "/api/debug_event"): self._nothing,
            ("GET", "/version"): self._version,
            ("GET", "/instance_version"): self._version,
            ("GET", "/instance_name"): self._instance_name,
            ("GET", "/api/v1/deployment_info"): self._info,
            ("GET", "/api/v1/get_canonical_urls"): self._canonical_urls,
            ("GET", "/"): self._hello,
            ("POST", "/echo"): self._echo,
        }
        self._below: dict[str, Handler] = {}
        self._waiting: set[str] = set()
        for each in routes:
            self._routes.update(each.exact)
            self._below.update(each.below)
            if each.waiting:
                self._waiting.update(path for _, path in each.exact)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or socket (called by the ASGI server)."""
        if scope["type"] == "http" and scope["path"].startswith("/http/"):
            await self._site(scope, receive, send)
        elif scope["type"] == "http":
            if scope["path"] in self._waiting:
                await self._http(scope, receive, send)
                return
            task = self._running.begin()
            try:
                await self._http(scope, receive, send)
            except asyncio.CancelledError:
                if not self._running.cut:  # else it was cut in the middle of a response: the connection ends
                    raise
            finally:
                self._running.end(task)
        elif scope["type"] == "websocket":
            path = _SLASHES.sub("/", scope["path"])
            match = _SYNC.fullmatch(path)
            if match is None:
                await receive()
                await send({"type": "websocket.close", "code": 4004, "reason": "no such path"})
                return
            await self._sockets.serve(match.group(1), scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = HttpRequest(scope, receive, self._body_max)
        if request.method == "OPTIONS":
            response = preflight(request.headers)
        else:
            response = await self._respond(request)
            if b"origin" in request.headers:
                response.headers = [*response.headers, *cors_headers(request.headers)]
        if isinstance(response, FileResponse):
            await response.send(receive, send)
            return
        body = b"" if request.method == "HEAD" else response.body
        headers = response.headers
        if response.status not in BODILESS:
            headers = [*headers, (b"content-length", b"%d" % len(response.body))]
        await send({"type": "http.response.start", "status": response.status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _respond(self, request: HttpRequest) -> Response:
        try:
            return await self._route(request)
        except asyncio.CancelledError:
            if not self._running.cut:
                raise
            return failure_response(refusal(), request.method, request.path)
        except Exception as error:  # noqa: BLE001 - the edge of a request: this is its response
            return failure_response(error, request.method, request.path)

    async def _route(self, request: HttpRequest) -> Response:
        path = request.path
        if "//" in path:
            request.path = path = _SLASHES.sub("/", path)
        method = "GET" if request.method == "HEAD" else request.method
        handler = self._routes.get((method, path))
        if handler is not None:
            return await handler(request)
        for prefix, handler in self._below.items():
            if path.startswith(prefix):
                return await handler(request)
        if path.startswith(UNSUPPORTED):
            raise RequestError(
                "this deployment runs Python functions: use `convexpy dev` or `convexpy deploy`",
                code="PythonFunctionsOnly",
            )
        if any(known == path for _, known in self._routes):
            raise method_not_allowed(request)
        if path.startswith("/api/") and method == "POST":
            raise RequestError(f"{path[:200]} is not supported by convexpy", code="UnsupportedByConvexpy")
        raise RequestError(f"no such path: {path[:200]}", status=404, code="NotFound")

    async def _version(self, request: HttpRequest) -> Response:
        return text_response(f"convexpy {__version__}")

    async def _instance_name(self, request: HttpRequest) -> Response:
        return text_response(self._name)

    async def _canonical_urls(self, request: HttpRequest) -> Response:
        await admin_for(self._identities, request, "functions:view")
        return json_response(self._urls)

    async def _info(self, request: HttpRequest) -> Response:
        return json_response({"kind": "selfHosted"})

    async def _hello(self, request: HttpRequest) -> Response:
        return text_response(
            f"This is the convexpy deployment {self._name!r}. Connect to it with a Convex client.\n"
        )

    async def _nothing(self, request: HttpRequest) -> Response:
        return Response(200)

    async def _echo(self, request: HttpRequest) -> Response:
        request.body_max = ECHO_BYTES_MAX
        return Response(200, await request.body(), [(b"content-type", b"application/octet-stream")])
