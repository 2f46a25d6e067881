"""The transactions of a push, and the history of versions."""

from __future__ import annotations

from typing import Any

import msgspec

from convexpy.protocol.admin_api import PushInfo, PushNote
from convexpy.protocol.system._call import SystemMutation, SystemQuery
from convexpy.protocol.system.crons import PlannedCron
from convexpy.protocol.system.variables import VariableChange

HISTORY_MAX = 200


class BuildingIndex(msgspec.Struct):
    """An index that has to be built."""

    table: str
    tablet: int
    name: str
    number: int
    fields: list[str]
    staged: bool


class BeginPush(SystemMutation[list[BuildingIndex]], path="_system/push:begin"):
    """Make tables and building indexes for a schema, given as JSON; `pending` has writes checked against it from now on."""

    schema: str
    pending: bool


class PushedBy(PushNote, frozen=True, kw_only=True):
    """Who pushed a version and why; `pushed_at` is milliseconds, `rollback_of` the version that it brought back."""

    pushed_at: float
    rollback_of: int | None = None


class SourcePart(msgspec.Struct, array_like=True):
    """A part of a file's content: the content's hash, the part's number, its bytes."""

    sha256: str
    number: int
    source: bytes


class ActivateVersion(SystemMutation[dict[str, str]], path="_system/push:activate"):
    """Make a version live; the result are the variables as stored, if some are set with it.

    `schema` is JSON, empty without one; `modules` has the hash of every module by path, `ready` the numbers of the
    indexes that are built, `config` the settings of the version as they are stored, `variables` those to set, encrypted.
    `sources` are contents that are not kept yet, `manifest` the hash of the list of files; of the versions before, those
    with the numbers in `kept` can still be brought back.
    """

    version: int
    config: dict[str, Any]
    schema: str
    ready: list[int]
    modules: list[tuple[str, str]]
    crons: list[PlannedCron]
    note: PushedBy
    variables: list[VariableChange]
    sources: list[SourcePart]
    manifest: str
    kept: list[int]


class AbortPush(SystemMutation[None], path="_system/push:abort"):
    """Remove the indexes that a failed push has begun."""

    numbers: list[int]


class FinishIndexes(SystemMutation[None], path="_system/push:indexesBuilt"):
    """Turn indexes ready whose build has ended."""

    numbers: list[int]


class ForgetDeleted(SystemMutation[None], path="_system/push:forgetDeleted"):
    """Remove the documents of indexes whose keys are gone, and of tables whose documents are."""


class ListVersions(SystemQuery[list[PushInfo]], path="_system/push:history", operation="functions:view"):
    """The pushed versions, the newest first."""

    limit: int = HISTORY_MAX


class KeepSources(SystemMutation[None], path="_system/sources:keep"):
    """Keep contents before a version goes live that needs them."""

    parts: list[SourcePart]


class ForgetSources(SystemMutation[list[str]], path="_system/sources:forget"):
    """Remove contents by their hashes, some MiB at a time; the result are the hashes that are left."""

    sha256s: list[str]
