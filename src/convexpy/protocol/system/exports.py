"""Exports: documents whose states official tools subscribe to."""

from __future__ import annotations

from typing import ClassVar

from convexpy.protocol.system._call import Operation, SystemMutation, SystemQuery
from convexpy.values import ConvexObject, Document


class GetLatestExport(SystemQuery[Document | None]):
    """The newest export that somebody asked for, backups left out."""

    path: ClassVar[str] = "_system/cli/exports:getLatest"
    operation: ClassVar[Operation | None] = "data:view"


class FindExport(SystemQuery[Document | None]):
    """The export of an id, or of its `start_ts` in decimal."""

    path: ClassVar[str] = "_system/exports:find"
    operation: ClassVar[Operation | None] = "data:view"
    which: str


class ListExports(SystemQuery[list[Document]]):
    """The newest exports and backups, or those of one `requestor`."""

    path: ClassVar[str] = "_system/exports:list"
    operation: ClassVar[Operation | None] = "data:view"
    requestor: str | None = None


class CreateExport(SystemMutation[str]):
    """Ask for an export; the result is its id. One at a time."""

    path: ClassVar[str] = "_system/exports:create"
    include_storage: bool
    requestor: str


class UpdateExport(SystemMutation[bool]):
    """Change an export that is in one of the states `of`; the result says whether it was. `moments` are nanoseconds."""

    path: ClassVar[str] = "_system/exports:update"
    id: str
    of: list[str]
    fields: ConvexObject = {}
    moments: dict[str, str] = {}


class RemoveExports(SystemMutation[None]):
    """Forget exports."""

    path: ClassVar[str] = "_system/exports:remove"
    ids: list[str]


class FailInterruptedExports(SystemMutation[list[Document]]):
    """Fail the exports that were under way when the server ended; the result are all."""

    path: ClassVar[str] = "_system/exports:interrupted"
