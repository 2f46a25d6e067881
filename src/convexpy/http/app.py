"""The ASGI application of the API origin.

A bare callable: a router library would cost more than the functions behind the hot routes (ARCHITECTURE.md, figures).
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable

from convexpy._version import __version__
from convexpy.deployment import Deployment
from convexpy.errors import Error, RequestError
from convexpy.http.admin_api import AdminApi
from convexpy.http.function_api import FunctionApi
from convexpy.http.messages import (
    HttpRequest,
    Receive,
    Response,
    Scope,
    Send,
    cors_headers,
    error_response,
    json_response,
    preflight,
    text_response,
)
from convexpy.http.probes import Probes
from convexpy.http.running import RunningRequests, refusal
from convexpy.http.site import BODILESS, SiteApp
from convexpy.http.socket import Sockets
from convexpy.limits import ECHO_BYTES_MAX
from convexpy.persistence import DISK_FULL
from convexpy.services.data.routes import DATA_PATH, DataApi
from convexpy.services.files.routes import FILES_PATH, FileApi, FileResponse
from convexpy.services.logs.routes import LOG_PATHS, LogApi
from convexpy.services.scheduling.routes import ScheduleApi
from convexpy.services.status.routes import DeploymentApi
from convexpy.services.transfers.routes import TransferApi
from convexpy.sync import ActionShares

logger = logging.getLogger("convexpy.http")
Handler = Callable[[HttpRequest], Awaitable[Response]]
_SYNC = re.compile(r"/api(?:/([^/]+))?/sync")
_SLASHES = re.compile(r"//+")
UNSUPPORTED = (
    "/api/get_config_hashes", "/api/deploy2/", "/api/push_config", "/api/run_test_function", "/api/prepare_schema",
)  # fmt: skip


class ApiApp:
    """The API origin: functions, sync, administration."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self.running = RunningRequests(ActionShares(deployment.settings.knobs.actions_running_per_address))
        self._body_max = deployment.settings.knobs.request_body_bytes
        self.sockets = Sockets(deployment, self.running.shares)
        self.probes = Probes(deployment, self.sockets)
        self._site = SiteApp(deployment, self.running, prefix="/http")
        self._files = FileApi(deployment)
        self._data = DataApi(deployment)
        logs = LogApi(deployment)
        functions, admin = FunctionApi(deployment, self.running.shares), AdminApi(deployment)
        schedule = ScheduleApi(deployment)
        about = DeploymentApi(deployment, self.sockets)
        self._functions = functions
        self._routes: dict[tuple[str, str], Handler] = {
            ("POST", "/api/query"): lambda request: functions.call("query", request),
            ("POST", "/api/mutation"): lambda request: functions.call("mutation", request),
            ("POST", "/api/action"): lambda request: functions.call("action", request),
            ("GET", "/api/query"): functions.get_query,
            ("POST", "/api/function"): functions.any_function,
            ("POST", "/api/query_ts"): functions.query_ts,
            ("POST", "/api/query_at_ts"): functions.query_at_ts,
            ("POST", "/api/query_batch"): functions.query_batch,
            ("POST", "/api/convexpy/push/plan"): admin.plan,
            ("POST", "/api/convexpy/push"): admin.push,
            ("GET", "/api/convexpy/functions"): admin.functions,
            ("GET", "/api/convexpy/functions/stats"): about.statistics,
            ("GET", "/api/convexpy/history"): about.history,
            ("GET", "/api/convexpy/status"): about.status,
            ("GET", "/api/convexpy/tables"): self._data.tables,
            ("POST", "/api/convexpy/evaluate"): self._data.evaluate,
            **logs.routes,
            ("POST", "/api/update_environment_variables"): admin.update_environment,
            ("POST", "/api/v1/update_environment_variables"): admin.update_environment,
            ("GET", "/api/list_environment_variables"): admin.list_environment,
            ("GET", "/api/v1/list_environment_variables"): admin.list_environment,
            ("POST", "/api/convexpy/storage/upload_url"): self._files.upload_url,
            ("POST", "/api/convexpy/storage/delete"): self._files.delete,
            ("GET", "/api/check_admin_key"): admin.check_key,
            ("GET", "/api/convexpy/keys"): admin.list_keys,
            ("POST", "/api/convexpy/keys"): admin.create_key,
            ("POST", "/api/convexpy/keys/revoke"): admin.revoke_key,
            ("POST", "/api/convexpy/keys/rotate"): admin.rotate_key,
            ("GET", "/api/v1/get_canonical_urls"): admin.canonical_urls,
            ("POST", "/api/cancel_job"): schedule.cancel_job,
            ("POST", "/api/cancel_all_jobs"): schedule.cancel_all_jobs,
            ("POST", "/api/convexpy/crons/run"): schedule.run_cron,
            ("POST", "/api/convexpy/scheduled/requests"): schedule.requests,
            ("GET", "/api/convexpy/env"): admin.describe_environment,
            ("POST", "/api/debug_event"): self._nothing,
            ("GET", "/version"): self._version,
            ("GET", "/instance_version"): self._version,
            ("GET", "/instance_name"): self._name,
            ("GET", "/api/v1/deployment_info"): self._info,
            **self.probes.routes(),
            ("GET", "/"): self._hello,
            ("POST", "/echo"): self._echo,
        }
        self._transfers = TransferApi(deployment)
        self._routes |= self._transfers.routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or socket (called by the ASGI server)."""
        if scope["type"] == "http" and scope["path"].startswith("/http/"):
            await self._site(scope, receive, send)
        elif scope["type"] == "http":
            if scope["path"] in LOG_PATHS:
                await self._http(scope, receive, send)
                return
            task = self.running.begin()
            try:
                await self._http(scope, receive, send)
            except asyncio.CancelledError:
                if not self.running.cut:  # else it was cut in the middle of a response: the connection ends
                    raise
            finally:
                self.running.end(task)
        elif scope["type"] == "websocket":
            path = _SLASHES.sub("/", scope["path"])
            match = _SYNC.fullmatch(path)
            if match is None:
                await receive()
                await send({"type": "websocket.close", "code": 4004, "reason": "no such path"})
                return
            await self.sockets.serve(match.group(1), scope, receive, send)

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
        except RequestError as error:
            return error_response(error)
        except asyncio.CancelledError:
            if not self.running.cut:
                raise
            return error_response(refusal())
        except Error as error:
            logger.warning("%s %s failed: %s", request.method, request.path, error)
            return error_response(RequestError(error.message, code=error.code, status=503))
        except Exception as error:
            logger.exception("%s %s failed", request.method, request.path)
            if isinstance(error, OSError) and error.errno in DISK_FULL:
                text = "the server has no room to store this"
                return error_response(RequestError(text, code="StorageFull", status=503))
            text = "Your request couldn't be completed. Try again later."
            return error_response(RequestError(text, code="InternalServerError", status=500))

    async def _route(self, request: HttpRequest) -> Response:
        path = request.path
        if "//" in path:
            path = _SLASHES.sub("/", path)
        method = "GET" if request.method == "HEAD" else request.method
        handler = self._routes.get((method, path))
        if handler is not None:
            return await handler(request)
        if path.startswith(FILES_PATH):
            return await self._files.respond(request, path)
        if path.startswith(DATA_PATH) and method == "POST":
            return await self._data.call(path.removeprefix(DATA_PATH), request)
        if path.startswith("/api/export/"):
            return await self._transfers.respond(request, path)
        if path.startswith("/api/run/") and method == "POST":
            return await self._functions.run_path(path.removeprefix("/api/run/"), request)
        if path.startswith(UNSUPPORTED):
            raise RequestError(
                "this deployment runs Python functions: use `convexpy dev` or `convexpy deploy`",
                code="PythonFunctionsOnly",
            )
        if any(known == path for _, known in self._routes):
            raise RequestError(f"{request.method} is not allowed here", status=405, code="MethodNotAllowed")
        if path.startswith("/api/") and method == "POST":
            raise RequestError(f"{path[:200]} is not supported by convexpy", code="UnsupportedByConvexpy")
        raise RequestError(f"no such path: {path[:200]}", status=404, code="NotFound")

    async def _version(self, request: HttpRequest) -> Response:
        return text_response(f"convexpy {__version__}")

    async def _name(self, request: HttpRequest) -> Response:
        return text_response(self._deployment.settings.name)

    async def _info(self, request: HttpRequest) -> Response:
        return json_response({"kind": "selfHosted"})

    async def _hello(self, request: HttpRequest) -> Response:
        return text_response(
            f"This is the convexpy deployment {self._deployment.settings.name!r}. "
            "Connect to it with a Convex client.\n"
        )

    async def _nothing(self, request: HttpRequest) -> Response:
        return Response(200)

    async def _echo(self, request: HttpRequest) -> Response:
        request.body_max = ECHO_BYTES_MAX
        return Response(200, await request.body(), [(b"content-type", b"application/octet-stream")])
