"""A plain `def` action's engine under the same methods as a transaction's, so that one facade serves both."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from convexpy.functions._host import ActionHost
from convexpy.protocol.app_description import FunctionKind


class BlockingHost:
    """Calls, scheduling, storage and identity by blocking requests."""

    __slots__ = ("host",)

    def __init__(self, host: ActionHost) -> None:
        self.host = host

    def now_ms(self) -> int:
        """Return the clock."""
        return self.host.now_ms()

    def identity(self) -> dict[str, Any] | None:
        """Return the caller's claims."""
        found: dict[str, Any] | None = self.host.request_blocking("identity", {})
        return found

    def call(
        self, kind: FunctionKind, path: str, args: dict[str, Any], limits: Mapping[str, int] | None
    ) -> Any:
        """Run a function in its own transaction; return its plain result."""
        return self.host.request_blocking("call", {"kind": kind, "path": path, "args": args})

    def schedule(self, at_ms: float, path: str, args: dict[str, Any]) -> str:
        """Schedule a function; return the job's id."""
        return str(self.host.request_blocking("schedule", {"at": at_ms, "path": path, "args": args}))

    def cancel(self, job: str) -> None:
        """Cancel a job."""
        self.host.request_blocking("cancel", {"id": job})

    def storage_url(self, id: str) -> str | None:
        """Return where the file can be downloaded."""
        found: str | None = self.host.request_blocking("storage_url", {"id": id})
        return found

    def storage_metadata(self, id: str) -> dict[str, Any] | None:
        """Return what is known about the file."""
        found: dict[str, Any] | None = self.host.request_blocking("storage_metadata", {"id": id})
        return found

    def storage_upload_url(self) -> str:
        """Return where a file can be uploaded."""
        return str(self.host.request_blocking("storage_upload_url", {}))

    def storage_delete(self, id: str) -> None:
        """Delete the file."""
        self.host.request_blocking("storage_delete", {"id": id})
