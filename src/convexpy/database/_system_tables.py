"""The system tables: fixed numbers that every process knows, so that no document is needed to find them.

Numbers are part of the storage format: a new table or index gets a new one, none is ever used again. A
system table's tablet is its place in this list; its number in ids is 512 more; its `by_creation_time` has
the number of the tablet.
"""

from __future__ import annotations

from typing import NamedTuple

TABLES = 1
"""The tablet of `_tables`."""
INDEX = 2
"""The tablet of `_index`."""


class SystemTable(NamedTuple):
    """A system table; indexes are `(number, name, fields)`."""

    tablet: int
    name: str
    indexes: tuple[tuple[int, str, tuple[str, ...]], ...] = ()


SYSTEM_TABLES = (
    SystemTable(TABLES, "_tables"),
    SystemTable(INDEX, "_index"),
    SystemTable(3, "_schemas"),
    SystemTable(4, "_modules", ((101, "by_path", ("path",)),)),
    SystemTable(5, "_source_packages", ((102, "by_sha256", ("sha256",)),)),
    SystemTable(6, "_environment_variables", ((103, "by_name", ("name",)),)),
    SystemTable(7, "_storage"),
    SystemTable(
        8,
        "_scheduled_functions",
        (
            (104, "by_state_and_time", ("state.kind", "scheduledTime")),
            (105, "by_completed_time", ("completedTime",)),
        ),
    ),
    SystemTable(9, "_cron_jobs", ((106, "by_name", ("name",)),)),
    SystemTable(10, "_versions", ((107, "by_state", ("state",)),)),
    SystemTable(11, "_settings", ((108, "by_name", ("name",)),)),
    SystemTable(
        12,
        "_file_storage",
        (
            (109, "by_storage_id", ("storageId",)),
            (112, "by_uuid", ("uuid",)),
            (113, "by_deleted_at", ("deletedAt",)),
        ),
    ),
    SystemTable(13, "_exports"),
    SystemTable(14, "_snapshot_imports"),
    SystemTable(15, "_cron_job_logs", ((110, "by_name", ("name",)),)),
    SystemTable(16, "_admin_keys", ((111, "by_key_id", ("keyId",)),)),
    SystemTable(17, "_signing_keys"),
)

APP_VISIBLE = frozenset({"_storage", "_scheduled_functions"})
"""What app code may read through `ctx.db.system`."""


def system_index(table: str, index: str) -> int:
    """Return the number of an index of a system table."""
    return next(
        number
        for known in SYSTEM_TABLES
        if known.name == table
        for number, name, _ in known.indexes
        if name == index
    )
