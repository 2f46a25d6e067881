"""How the server is doing, for charts: calls by the minute, executors, the checkpoint."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from convexpy.engine.timeline import LogTimeline
from convexpy.engine.versions import LiveVersion
from convexpy.http.messages import HttpRequest
from convexpy.protocol.admin_api import HealthReport
from convexpy.runtime import Clock
from convexpy.services._admin_routes import AdminRoutes, route
from convexpy.services.logs import FunctionLog
from convexpy.services.monitoring.executors import executors_of
from convexpy.services.scheduling.agenda import Agenda
from convexpy.sync import Hub


@dataclass(kw_only=True, eq=False)
class HealthRoutes(AdminRoutes):
    """The route of the health report. `clients` returns the number of open sockets."""

    log: FunctionLog
    timeline: LogTimeline
    live: LiveVersion
    hub: Hub
    agenda: Agenda
    clock: Clock
    clients: Callable[[], int]

    @route("GET", "/api/convexpy/health", "functions:view")
    async def health(self, request: HttpRequest) -> HealthReport:
        """Return the report as of now."""
        timeline, agenda = self.timeline, self.agenda
        return HealthReport(
            minutes=self.log.minutes.described(),
            executors=executors_of(self.live),
            commits=timeline.row,
            waiting_commits=len(timeline.tail),
            waiting_bytes=timeline.tail_bytes,
            sockets=self.clients(),
            subscriptions=self.hub.subscriptions,
            jobs_running=agenda.running,
            late_ms=agenda.late_ms(self.clock.now_ns() / 1e6),
        )
