"""The admin API of scheduled jobs and cron jobs; they are read with system functions, like other data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from convexpy.engine.system_functions import SystemFunctions
from convexpy.http.messages import Response
from convexpy.http.routing import errors_of_the_request
from convexpy.protocol.system.crons import RunCron
from convexpy.protocol.system.scheduling import CancelJob, CancelJobs
from convexpy.services._admin_routes import AdminRoutes, route
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


@dataclass(kw_only=True, eq=False)
class SchedulingRoutes(AdminRoutes):
    """The routes that change what is scheduled, and the one that leads to its logs."""

    system: SystemFunctions
    requests: JobRequests

    @route("POST", "/api/cancel_job", "data:write", _WhichJob)
    async def cancel_job(self, body: _WhichJob) -> Response:
        """Cancel a job."""
        with errors_of_the_request():
            await self.system.run(CancelJob(body.id))
        return Response(200)

    @route("POST", "/api/cancel_all_jobs", "data:write", _WhichJobs)
    async def cancel_all_jobs(self, body: _WhichJobs) -> dict[str, int]:
        """Cancel those that are pending, of one function or of all; in several transactions."""
        call = CancelJobs(None if body.udf_path is None else body.udf_path.replace(".js:", ":"))
        canceled, has_more = 0, True
        while has_more:
            with errors_of_the_request():
                answer = await self.system.run(call)
            canceled += answer.canceled
            has_more = answer.has_more
        return {"canceled": canceled}

    @route("POST", "/api/convexpy/crons/run", "functions:run", _WhichCron)
    async def run_cron(self, body: _WhichCron) -> dict[str, str]:
        """Schedule an extra run of a cron job, for now."""
        with errors_of_the_request():
            return {"job": await self.system.run(RunCron(body.name))}

    @route("POST", "/api/convexpy/scheduled/requests", "data:view", _SomeJobs)
    async def find_requests(self, body: _SomeJobs) -> dict[str, Any]:
        """Return the request ids of those jobs that ran lately, to find their logs."""
        return {"requests": self.requests.find(body.ids)}
