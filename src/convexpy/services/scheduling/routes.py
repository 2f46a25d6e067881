"""The admin API of scheduled jobs and cron jobs; they are read with system functions, like other data."""

from __future__ import annotations

import msgspec

from convexpy.engine.identities import Identities
from convexpy.engine.system_functions import SystemFunctions
from convexpy.http.identify import admin_for
from convexpy.http.messages import HttpRequest, Response, decode_body, json_response
from convexpy.http.routing import Routes, errors_of_the_request
from convexpy.protocol.system.crons import RunCron
from convexpy.protocol.system.scheduling import CancelJob, CancelJobs
from convexpy.services.scheduling.job_requests import JobRequests


class _WhichJob(msgspec.Struct, rename="camel"):
    id: str
    component_id: str | None = None


class _WhichJobs(msgspec.Struct, rename="camel"):
    udf_path: str | None = None
    component_id: str | None = None
    component_path: str | None = None


class _SomeJobs(msgspec.Struct):
    ids: list[str]


class _WhichCron(msgspec.Struct):
    name: str


class SchedulingRoutes:
    """The routes that change what is scheduled, and the one that leads to its logs."""

    def __init__(self, *, system: SystemFunctions, requests: JobRequests, identities: Identities) -> None:
        self._system = system
        self._requests = requests
        self._identities = identities

    def routes(self) -> Routes:
        """Return the handlers."""
        return Routes(
            {
                ("POST", "/api/cancel_job"): self.cancel_job,
                ("POST", "/api/cancel_all_jobs"): self.cancel_all_jobs,
                ("POST", "/api/convexpy/crons/run"): self.run_cron,
                ("POST", "/api/convexpy/scheduled/requests"): self.requests,
            }
        )

    async def cancel_job(self, request: HttpRequest) -> Response:
        """POST /api/cancel_job."""
        await admin_for(self._identities, request, "data:write")
        body: _WhichJob = decode_body(await request.json_body(), _WhichJob)
        with errors_of_the_request():
            await self._system.run(CancelJob(body.id))
        return Response(200)

    async def cancel_all_jobs(self, request: HttpRequest) -> Response:
        """POST /api/cancel_all_jobs: those that are pending, of one function or of all; in several transactions."""
        await admin_for(self._identities, request, "data:write")
        body: _WhichJobs = decode_body(await request.json_body(), _WhichJobs)
        call = CancelJobs(None if body.udf_path is None else body.udf_path.replace(".js:", ":"))
        canceled, has_more = 0, True
        while has_more:
            with errors_of_the_request():
                answer = await self._system.run(call)
            canceled += answer.canceled
            has_more = answer.has_more
        return json_response({"canceled": canceled})

    async def run_cron(self, request: HttpRequest) -> Response:
        """POST /api/convexpy/crons/run: an extra run of a cron job, now."""
        await admin_for(self._identities, request, "functions:run")
        body: _WhichCron = decode_body(await request.json_body(), _WhichCron)
        with errors_of_the_request():
            job = await self._system.run(RunCron(body.name))
        return json_response({"job": job})

    async def requests(self, request: HttpRequest) -> Response:
        """POST /api/convexpy/scheduled/requests: the request ids of those jobs that ran lately, to find their logs."""
        await admin_for(self._identities, request, "data:view")
        body: _SomeJobs = decode_body(await request.json_body(), _SomeJobs)
        return json_response({"requests": self._requests.find(body.ids)})
