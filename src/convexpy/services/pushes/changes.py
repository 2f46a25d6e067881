"""What a push reports: functions, tables, indexes and modules that it changes, and warnings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from convexpy.protocol.app_description import AppDescription, IndexDescription
from convexpy.schema.changes import AppChanges, Change, compare


def describe_changes(
    changes: AppChanges, after: AppDescription, modules_before: Mapping[str, str], modules: Mapping[str, str]
) -> dict[str, Any]:
    """Return `changes warnings counts` as a push reports them."""
    schema = changes.schema
    indexes = sum(len(table.indexes) for table in after.tables.values())
    return {
        "changes": {
            "functions": _names(changes.functions),
            "tables": _names(schema.tables),
            "indexes": {"added": _indexes(schema.new_indexes), "removed": _indexes(schema.dropped_indexes)},
            "crons": _names(changes.crons),
            "modules": _names(compare(modules_before, modules)),
        },
        "warnings": _warnings(after),
        "counts": {"functions": len(after.functions), "tables": len(after.tables), "indexes": indexes},
    }


def _names(changes: Iterable[Change[Any]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {"added": [], "removed": [], "changed": []}
    for each in changes:
        found[each.kind].append(each.name)
    return found


def _indexes(indexes: Iterable[tuple[str, IndexDescription]]) -> list[dict[str, Any]]:
    return [{"table": table, **msgspec.to_builtins(index)} for table, index in indexes]


def _warnings(app: AppDescription) -> list[str]:
    """Name what the app defines and this version does not run, and what is unsafe as it stands."""
    queries = {function.path for function in app.functions if function.kind == "query"}
    found = [
        f"{cron.file}:{cron.line}: cron job {cron.name!r} fails at every run: {cron.function} is a query"
        for cron in app.crons
        if cron.function in queries
    ]
    found += [
        f'schema.py: search and vector indexes of "{name}" are not built by this version of convexpy'
        for name, table in app.tables.items()
        if table.search_indexes or table.vector_indexes
    ]
    found += [
        f"auth_config.py: custom_jwt of {provider.issuer} has no application_id: it accepts tokens made for ANY "
        "application of that issuer"
        for provider in app.auth
        if provider.application_id is None
    ]
    return found
