"""Exports: documents whose states official tools subscribe to."""

from __future__ import annotations

from convexpy.protocol.system._call import SystemMutation, SystemQuery
from convexpy.values import ConvexObject, Document


class GetLatestExport(
    SystemQuery[Document | None], path="_system/cli/exports:getLatest", operation="data:view"
):
    """The newest export that somebody asked for, backups left out."""


class FindExport(SystemQuery[Document | None], path="_system/exports:find", operation="data:view"):
    """The export of an id, or of its `start_ts` in decimal."""

    which: str


class ListExports(SystemQuery[list[Document]], path="_system/exports:list", operation="data:view"):
    """The newest exports and backups, or those of one `requestor`."""

    requestor: str | None = None


class CreateExport(SystemMutation[str], path="_system/exports:create"):
    """Ask for an export; the result is its id. One at a time."""

    include_storage: bool
    requestor: str


class UpdateExport(SystemMutation[bool], path="_system/exports:update"):
    """Change an export that is in one of the states `of`; the result says whether it was."""

    id: str
    of: list[str]
    fields: ConvexObject


class RemoveExports(SystemMutation[None], path="_system/exports:remove"):
    """Forget exports."""

    ids: list[str]


class FailInterruptedExports(SystemMutation[None], path="_system/exports:interrupted"):
    """Fail the exports that were under way when the server ended."""
