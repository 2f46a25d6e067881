"""The dashboard of one deployment: what all of its pages share, and whether the deployment can be reached."""

from __future__ import annotations

import asyncio
import contextlib

from nicegui import Event

from convexpy.client import Unreachable
from convexpy.errors import Error
from convexpy.protocol.admin_api import DeploymentStatus
from convexpy_cli.dashboard.deployment import Deployment

EVERY_S = 2.0


class Dashboard:
    """Asks the deployment every two seconds how it is, and tells the pages when that has changed."""

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment
        self.status: DeploymentStatus | None = None
        self.trouble: str = ""
        """What keeps the dashboard from the deployment; empty while nothing does."""
        self.trouble_changed: Event[str] = Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to ask."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """End, with all requests under way."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        self.deployment.close()

    async def _run(self) -> None:
        while True:
            try:
                if self.deployment.allows("functions:view"):
                    self.status = await self.deployment.status()
                else:
                    await self.deployment.check()
                self._set("")
            except Unreachable as error:
                self._set(f"The deployment does not answer: {error.message}. Trying again.")
            except Error as error:
                self._set(f"The deployment has refused the key: {error.message}")
            await asyncio.sleep(EVERY_S)

    def _set(self, trouble: str) -> None:
        if trouble != self.trouble:
            self.trouble = trouble
            self.trouble_changed.emit(trouble)
