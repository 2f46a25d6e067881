"""What a push changes: functions, tables, indexes and modules, before and after."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def _difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, list[str]]:
    return {
        "added": sorted(after.keys() - before.keys()),
        "removed": sorted(before.keys() - after.keys()),
        "changed": sorted(name for name in before.keys() & after.keys() if before[name] != after[name]),
    }


def _functions(description: dict[str, Any]) -> dict[str, Any]:
    return {
        function["path"]: {name: function.get(name) for name in ("kind", "visibility", "args", "returns")}
        for function in description["functions"]
    }


def _tables(description: dict[str, Any]) -> dict[str, Any]:
    schema = description["schema"]
    return {} if schema is None else {name: table["validator"] for name, table in schema["tables"].items()}


def _crons(description: dict[str, Any]) -> dict[str, Any]:
    return {cron["name"]: (cron["schedule"], cron["function"], cron["args"]) for cron in description["crons"]}


def _indexes(description: dict[str, Any]) -> dict[tuple[str, str, tuple[str, ...]], dict[str, Any]]:
    schema = description["schema"]
    found: dict[tuple[str, str, tuple[str, ...]], dict[str, Any]] = {}
    for table, definition in ({} if schema is None else schema["tables"]).items():
        for index in definition["indexes"]:
            key = (table, index["name"], tuple(index["fields"]))
            found[key] = {"table": table, **index}
    return found


def describe_changes(
    before: dict[str, Any],
    after: dict[str, Any],
    modules_before: Mapping[str, str],
    modules: Mapping[str, str],
) -> dict[str, Any]:
    """Return `changes` and `counts` as a push reports them."""
    old, new = _indexes(before), _indexes(after)
    return {
        "changes": {
            "functions": _difference(_functions(before), _functions(after)),
            "tables": _difference(_tables(before), _tables(after)),
            "indexes": {
                "added": [new[key] for key in sorted(new.keys() - old.keys())],
                "removed": [old[key] for key in sorted(old.keys() - new.keys())],
            },
            "crons": _difference(_crons(before), _crons(after)),
            "modules": _difference(modules_before, modules),
        },
        "warnings": _warnings(after),
        "counts": {"functions": len(after["functions"]), "tables": len(_tables(after)), "indexes": len(new)},
    }


def _warnings(description: dict[str, Any]) -> list[str]:
    """Name what the app defines and this version does not run, and what is unsafe as it stands."""
    queries = {function["path"] for function in description["functions"] if function["kind"] == "query"}
    found = [
        f"{cron['file']}:{cron['line']}: cron job {cron['name']!r} fails at every run: {cron['function']} is a query"
        for cron in description["crons"]
        if cron["function"] in queries
    ]
    schema = description["schema"]
    for name, table in ({} if schema is None else schema["tables"]).items():
        if table["searchIndexes"] or table["vectorIndexes"]:
            found.append(
                f'schema.py: search and vector indexes of "{name}" are not built by this version of convexpy'
            )
    found += [
        f"auth_config.py: custom_jwt of {provider['issuer']} has no application_id: it accepts tokens made for ANY "
        "application of that issuer"
        for provider in description["auth"]
        if provider.get("applicationID") is None
    ]
    return found


def schema_needs_check(before: dict[str, Any] | None, after: dict[str, Any]) -> bool:
    """Say whether stored documents must be looked at: a validator, a table or an index is not as it was."""
    if before is None:
        return True
    if not before["schemaValidation"] and after["schemaValidation"]:
        return True
    old, new = before["tables"], after["tables"]
    return any(
        name not in old
        or old[name]["validator"] != table["validator"]
        or old[name]["indexes"] != table["indexes"]
        for name, table in new.items()
    )


def tables_to_check(before: dict[str, Any] | None, after: dict[str, Any] | None) -> list[str]:
    """Return the tables whose stored documents may not fit: those with a validator that is not as it was."""
    if after is None or not after["schemaValidation"]:
        return []
    old = before["tables"] if before is not None and before["schemaValidation"] else {}
    return [
        name
        for name, table in after["tables"].items()
        if name not in old or old[name]["validator"] != table["validator"]
    ]


def builds_something(before: dict[str, Any] | None, after: dict[str, Any] | None) -> bool:
    """Say whether there is an index that was not there before."""
    return bool(_indexes({"schema": after}).keys() - _indexes({"schema": before}).keys())
