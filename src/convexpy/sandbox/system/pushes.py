"""The transactions of a push: making room for a version, making it live, or taking it back.

`begin` writes tables and indexes in state `building`, from when on every write set carries keys for them, and has every
write checked against the pending schema. `activate` is the one transaction in which a version, its schema and its
indexes become live. `abort` removes what is pending.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from convexpy.database import new_index_document, new_table_documents
from convexpy.functions import QueryPlan
from convexpy.limits import SOURCE_BATCH_BYTES
from convexpy.protocol.admin_api import PushInfo
from convexpy.protocol.app_description import IndexDescription, SchemaDescription
from convexpy.protocol.system import pushes as calls
from convexpy.sandbox.host import CallContext
from convexpy.sandbox.system._registry import handles
from convexpy.sandbox.system.crons import replace_crons
from convexpy.sandbox.system.variables import apply_changes
from convexpy.schema import load_schema

SOURCES = "_source_packages"


@handles(calls.BeginPush)
def begin(context: CallContext, call: calls.BeginPush) -> list[calls.BuildingIndex]:
    schema = msgspec.json.decode(call.schema, type=SchemaDescription)
    building: list[calls.BuildingIndex] = []
    transaction = context.transaction
    for name, table in schema.tables.items():
        if transaction.table(name) is None:
            document, by_creation_time = new_table_documents(transaction.catalog, name)
            transaction.system_insert("_tables", document)
            transaction.system_insert("_index", by_creation_time)
        building += _begin_indexes(context, name, table.indexes)
    if call.pending:
        context.set_pending_schema(load_schema(schema))
    return building


def _begin_indexes(
    context: CallContext, table: str, wanted: Iterable[IndexDescription]
) -> list[calls.BuildingIndex]:
    transaction = context.transaction
    building: list[calls.BuildingIndex] = []
    for index in wanted:
        info = transaction.catalog.by_name[table]
        known = [have for have in info.indexes if have.name == index.name and have.fields == index.fields]
        if known:
            have = known[0]
            if have.state == "building":
                building.append(_building(table, have.tablet, index, have.number))
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
        building.append(_building(table, info.tablet, index, document["number"]))
    return building


def _building(table: str, tablet: int, index: IndexDescription, number: int) -> calls.BuildingIndex:
    return calls.BuildingIndex(table, tablet, index.name, number, list(index.fields), index.staged)


@handles(calls.FinishIndexes)
def indexes_built(context: CallContext, call: calls.FinishIndexes) -> None:
    _end_building(context, call.numbers, "ready")


def _end_building(context: CallContext, numbers: list[int], state: str) -> None:
    for info in context.transaction.catalog.by_tablet.values():
        for index in info.indexes:
            if index.number in numbers and index.state == "building":
                context.transaction.system_patch("_index", index.id, {"state": state})


@handles(calls.ActivateVersion)
def activate(context: CallContext, call: calls.ActivateVersion) -> dict[str, str]:
    # Indexes that the schema does not name any more become `deleting`; tables stay, for they hold data.
    _end_building(context, call.ready, "ready")
    if call.schema:
        for name, table in msgspec.json.decode(call.schema, type=SchemaDescription).tables.items():
            _settle_indexes(context, name, table.indexes)
    _write_modules(context, dict(call.modules))
    _keep(context, call.sources)
    replace_crons(context, call.crons)
    stored = apply_changes(context, call.variables) if call.variables else {}
    _end_older_versions(context, frozenset(call.kept))
    version = {
        "state": "active",
        "number": call.version,
        "config": call.config,
        "schema": call.schema,
        "pushed": msgspec.to_builtins(call.note),
        "manifest": call.manifest,
        "kept": True,
    }
    context.transaction.system_insert("_versions", version)
    return stored


def _end_older_versions(context: CallContext, kept: frozenset[int]) -> None:
    """The versions before stay as entries of the history, without their schema; the oldest go. Some can be brought back."""
    transaction = context.transaction
    known = sorted(
        transaction.stream(QueryPlan("_versions", system=True)), key=lambda document: document["number"]
    )
    for document in known[: -calls.HISTORY_MAX + 1]:
        transaction.system_delete("_versions", document["_id"])
    for document in known[-calls.HISTORY_MAX + 1 :]:
        keeps = document["number"] in kept
        if document["state"] == "active" or document.get("kept", False) != keeps:
            past = {"state": "past", "schema": "", "kept": keeps}
            transaction.system_patch("_versions", document["_id"], past)


@handles(calls.ListVersions)
def history(context: CallContext, call: calls.ListVersions) -> list[PushInfo]:
    found = [
        msgspec.convert(
            {
                "version": document["number"],
                "state": document["state"],
                "contentHash": document.get("manifest", ""),
                "kept": document.get("kept", False),
                **document.get("pushed", {}),
            },
            PushInfo,
        )
        for document in context.transaction.stream(QueryPlan("_versions", system=True))
    ]
    return sorted(found, key=lambda version: version.version, reverse=True)[: call.limit]


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


@handles(calls.AbortPush)
def abort(context: CallContext, call: calls.AbortPush) -> None:
    context.set_pending_schema(None)
    _end_building(context, call.numbers, "deleting")


@handles(calls.ForgetDeleted)
def forget_deleted(context: CallContext, call: calls.ForgetDeleted) -> None:
    for table in ("_index", "_tables"):
        for document in list(context.transaction.stream(QueryPlan(table, system=True))):
            if document["state"] == "deleting":
                context.transaction.system_delete(table, document["_id"])


@handles(calls.KeepSources)
def keep_sources(context: CallContext, call: calls.KeepSources) -> None:
    """Keep parts of contents: a few MiB in each transaction, so that a push of any size replaces one of any size."""
    _keep(context, call.parts)


def _keep(context: CallContext, parts: Iterable[calls.SourcePart]) -> None:
    for part in parts:
        document = {"sha256": part.sha256, "part": part.number, "source": part.source}
        context.transaction.system_insert(SOURCES, document)


@handles(calls.ForgetSources)
def forget_sources(context: CallContext, call: calls.ForgetSources) -> list[str]:
    left, size = list(call.sha256s), 0
    while left:
        plan = QueryPlan(SOURCES, "by_sha256", equal=(("sha256", left[0]),), system=True)
        parts: list[str] = []
        for part in context.transaction.stream(plan):
            parts.append(part["_id"])
            size += len(part["source"])
            if size >= SOURCE_BATCH_BYTES:
                break
        for id in parts:
            context.transaction.system_delete(SOURCES, id)
        if size >= SOURCE_BATCH_BYTES:
            return left
        left.pop(0)
    return left
