"""The transactions of a push: making room for a version, making it live, or taking it back.

`begin` writes tables and indexes in state `building`, from when on every write set carries keys for them, and has every
write checked against the pending schema. `activate` is the one transaction in which a version, its schema and its
indexes become live. `abort` removes what is pending.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from convexpy.database import new_index_document, new_table_documents
from convexpy.functions import QueryPlan
from convexpy.protocol.app_description import IndexDescription, SchemaDescription
from convexpy.sandbox.host import CallContext
from convexpy.sandbox.system import environment
from convexpy.sandbox.system.scheduling import replace_crons
from convexpy.schema import load_schema

HISTORY_MAX = 200


def begin(context: CallContext, args: dict[str, Any]) -> dict[str, Any]:
    """Make tables and building indexes for a schema, given as JSON; return the indexes that have to be built.

    The answer lists `{table, tablet, name, number, fields, staged}`.
    """
    schema = msgspec.json.decode(args["schema"], type=SchemaDescription)
    building: list[dict[str, Any]] = []
    transaction = context.transaction
    for name, table in schema.tables.items():
        if transaction.table(name) is None:
            document, by_creation_time = new_table_documents(transaction.catalog, name)
            transaction.system_insert("_tables", document)
            transaction.system_insert("_index", by_creation_time)
        building += _begin_indexes(context, name, table.indexes)
    if args.get("pending"):
        context.set_pending_schema(load_schema(schema))
    return {"building": building}


def _begin_indexes(
    context: CallContext, table: str, wanted: Iterable[IndexDescription]
) -> list[dict[str, Any]]:
    transaction = context.transaction
    building: list[dict[str, Any]] = []
    for index in wanted:
        info = transaction.catalog.by_name[table]
        known = [have for have in info.indexes if have.name == index.name and have.fields == index.fields]
        if known:
            have = known[0]
            if have.state == "building":
                building.append(_described(table, have.tablet, index, have.number))
            continue
        document = new_index_document(
            transaction.catalog,
            info.tablet,
            index.name,
            list(index.fields),
            state="building",
            staged=index.staged,
        )
        transaction.system_insert("_index", document)
        building.append(_described(table, info.tablet, index, document["number"]))
    return building


def _described(table: str, tablet: int, index: IndexDescription, number: int) -> dict[str, Any]:
    return {
        "table": table, "tablet": tablet, "name": index.name, "number": number,
        "fields": list(index.fields), "staged": index.staged,
    }  # fmt: skip


def indexes_built(context: CallContext, args: dict[str, Any]) -> None:
    """Turn indexes ready: those of a push as part of it, staged ones when their background build has ended."""
    for info in context.transaction.catalog.by_tablet.values():
        for index in info.indexes:
            if index.number in args["numbers"] and index.state == "building":
                context.transaction.system_patch("_index", index.id, {"state": "ready"})


def activate(context: CallContext, args: dict[str, Any]) -> dict[str, str]:
    """Make a version live; return the variables as stored, if some are set with it.

    `schema` is JSON, empty without one, `modules` lists [path, hash] of every module, `crons` the cron jobs,
    `variables` those to set, encrypted, `note` who pushed it and why.
    Indexes that the schema does not name any more become `deleting`; tables stay, for they hold data.
    """
    indexes_built(context, {"numbers": args["ready"]})
    if args["schema"]:
        for name, table in msgspec.json.decode(args["schema"], type=SchemaDescription).tables.items():
            _settle_indexes(context, name, table.indexes)
    _write_modules(context, dict(args["modules"]))
    replace_crons(context, args["crons"])
    stored = environment.update(context, {"changes": args["variables"]}) if args["variables"] else {}
    _end_older_versions(context)
    version = {
        "state": "active",
        "number": args["version"],
        "config": args["config"],
        "schema": args["schema"],
        "pushed": args["note"],
    }
    context.transaction.system_insert("_versions", version)
    return stored


def _end_older_versions(context: CallContext) -> None:
    """The versions before stay as entries of the history, without their schema; the oldest go."""
    transaction = context.transaction
    known = sorted(
        transaction.stream(QueryPlan("_versions", system=True)), key=lambda document: document["number"]
    )
    for document in known[: -HISTORY_MAX + 1]:
        transaction.system_delete("_versions", document["_id"])
    for document in known[-HISTORY_MAX + 1 :]:
        if document["state"] == "active":
            transaction.system_patch("_versions", document["_id"], {"state": "past", "schema": ""})


def history(context: CallContext, args: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the pushed versions, the newest first: `version state pushedAt message actor commit branch dirty`."""
    empty: dict[str, Any] = {
        "pushedAt": None, "message": "", "actor": "", "commit": "", "branch": "", "dirty": False,
    }  # fmt: skip
    found: list[dict[str, Any]] = [
        {"version": document["number"], "state": document["state"], **empty, **document.get("pushed", {})}
        for document in context.transaction.stream(QueryPlan("_versions", system=True))
    ]
    return sorted(found, key=lambda entry: entry["version"], reverse=True)[
        : int(args.get("limit", HISTORY_MAX))
    ]


def _settle_indexes(context: CallContext, table: str, wanted: Iterable[IndexDescription]) -> None:
    """Drop what the schema no longer names, and follow `staged` where only that has changed."""
    by_shape = {(index.name, index.fields): index.staged for index in wanted}
    for have in context.transaction.catalog.by_name[table].indexes:
        if have.name == "by_creation_time":
            continue
        staged = by_shape.get((have.name, have.fields))
        if staged is None:
            context.transaction.system_patch("_index", have.id, {"state": "deleting"})
        elif staged != have.staged:
            context.transaction.system_patch("_index", have.id, {"staged": staged})


def _write_modules(context: CallContext, modules: dict[str, str]) -> None:
    transaction = context.transaction
    known = {
        document["path"]: document for document in transaction.stream(QueryPlan("_modules", system=True))
    }
    for path, document in known.items():
        if path not in modules:
            transaction.system_delete("_modules", document["_id"])
    for path, sha256 in modules.items():
        have = known.get(path)
        if have is None:
            transaction.system_insert("_modules", {"path": path, "sha256": sha256})
        elif have["sha256"] != sha256:
            transaction.system_patch("_modules", have["_id"], {"sha256": sha256})


def abort(context: CallContext, args: dict[str, Any]) -> None:
    """Remove the indexes that a failed push has begun."""
    context.set_pending_schema(None)
    for info in context.transaction.catalog.by_tablet.values():
        for index in info.indexes:
            if index.number in args["numbers"] and index.state == "building":
                context.transaction.system_patch("_index", index.id, {"state": "deleting"})


def forget_deleted(context: CallContext, args: dict[str, Any]) -> None:
    """Remove the documents of indexes whose keys are gone, and of tables whose documents are."""
    for table in ("_index", "_tables"):
        for document in list(context.transaction.stream(QueryPlan(table, system=True))):
            if document["state"] == "deleting":
                context.transaction.system_delete(table, document["_id"])


FUNCTIONS = {
    "_system/push:begin": begin,
    "_system/push:activate": activate,
    "_system/push:abort": abort,
    "_system/push:history": history,
    "_system/push:forgetDeleted": forget_deleted,
    "_system/push:indexesBuilt": indexes_built,
}
