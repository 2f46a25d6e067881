"""What a push would do, found out without changing anything: every change, what it costs, what stands in its way.

A change is `{area, kind, name, detail, consent}` and more where there is more to say; `consent` names the harm that has to
be agreed to, such as `index-drop:messages.by_author`, or is null. Indexes are compared with what is really stored, not
with the schema of the version before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

from convexpy.database import Catalog, IndexInfo
from convexpy.engine.checkpoints import CheckpointService
from convexpy.errors import PushRejected
from convexpy.persistence import CheckpointReader
from convexpy.printable import counted
from convexpy.protocol.app_description import AppDescription, CronDescription, FunctionDescription
from convexpy.schema.changes import AppChanges, Change as AppChange, SchemaChanges, compare
from convexpy.schema.shapes import in_words, shape_changes, shape_lines
from convexpy.services.pushes.active_app import ActiveApp
from convexpy.services.pushes.requests import PushRequest
from convexpy.services.variables.service import Variables

Change = dict[str, Any]


@dataclass
class Plan:
    """The changes of a push in the order in which people read them, and what blocks it."""

    changes: list[Change] = field(default_factory=list[Change])
    blocked: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    data: str = "unchanged"

    def block(self, code: str, message: str, hint: str, *, first: bool = False, **data: Any) -> None:
        """Note what stands in the way of the push."""
        self.blocked.insert(
            0 if first else len(self.blocked),
            {"code": code, "message": message, "hint": hint, "data": data},
        )

    def require(self) -> None:
        """Raise PushRejected for the first thing that blocks the push."""
        for block in self.blocked:
            raise PushRejected(
                block["message"],
                code=block["code"],
                hint=block["hint"],
                data={"retryOn": "never", **block["data"]},
            )


def covered(consent: str, allow: Iterable[str]) -> bool:
    """Say whether a consent was given: for this very thing, or for its kind."""
    return any(given in (consent, consent.partition(":")[0]) for given in allow)


@dataclass(kw_only=True, eq=False)
class Planner:
    """Plans pushes, and checks stored documents against the schema of one.

    `calls` returns how often a function was called in the last 24 hours.
    """

    app: ActiveApp
    checkpoints: CheckpointService
    reading: Callable[[], AbstractContextManager[CheckpointReader]]
    variables: Variables
    calls: Callable[[str], int]

    async def plan(
        self, request: PushRequest, app: AppDescription, changes: AppChanges, modules: Mapping[str, str]
    ) -> Plan:
        """Compare a version that was imported with the one that is live, and with the data."""
        plan = Plan()
        plan.changes += _functions(changes.functions, self.calls, production=request.production)
        await self.checkpoints.catch_up()
        catalog = self.checkpoints.catalog
        documents = await asyncio.to_thread(self._documents, catalog)
        plan.changes += _tables(changes.schema, documents)
        plan.changes += _indexes(catalog, app, documents, request)
        plan.changes += _crons(changes.crons)
        plan.changes += (_change("http", each.kind, each.name, "") for each in changes.routes)
        if changes.auth:
            plan.changes.append(_change("auth", "changed", "providers", "sign-in providers"))
        changed_modules = compare(self.app.active.modules, modules)
        plan.changes += (_change("modules", each.kind, each.name, "") for each in changed_modules)
        present = self.app.functions_environment()
        plan.changes += _environment(self.variables.values, present, request, plan)
        await self.check_data(changes.schema, plan)
        _check_consents(plan, request)
        return plan

    def _documents(self, catalog: Catalog) -> dict[str, int]:
        """Return the number of documents of every table, as of the checkpoint."""
        with self.reading() as reader:
            return {table.name: reader.count(table.tablet) for table in catalog.user_tables()}

    async def check_data(self, changes: SchemaChanges, plan: Plan) -> None:
        """Look at the stored documents of every table whose shape changes."""
        tables = changes.tables_to_check
        if changes.after is None or not tables:
            return
        await self.checkpoints.catch_up()
        violations = await self.checkpoints.violations(changes.after, tables)
        plan.data = "failed" if violations else "ok"
        if violations:
            first = violations[0]
            text = first["documents"][0].partition("\n")[0]
            verb = "does" if first["count"] == 1 else "do"
            message = f'{counted(first["count"], "document")} in "{first["table"]}" {verb} not fit the new schema: {text}'
            plan.block(
                "SchemaMismatch",
                message,
                "make the field optional, or change the documents first",
                first=True,
                table=first["table"],
                documents=first["documents"],
                tables=violations,
                retryOn="data",
            )


def _change(area: str, kind: str, name: str, detail: str, consent: str | None = None, **more: Any) -> Change:
    return {"area": area, "kind": kind, "name": name, "detail": detail, "consent": consent, **more}


# Functions


def _functions(
    changes: Iterable[AppChange[FunctionDescription]], calls_of: Callable[[str], int], *, production: bool
) -> Iterable[Change]:
    for each in changes:
        old, new = each.before, each.after
        if old is None:
            assert new is not None
            yield _change("functions", "added", each.name, f"{new.visibility} {new.kind}")
            continue
        calls = calls_of(each.name)
        harm = production and old.visibility == "public" and calls > 0
        consent = f"function-removal:{each.name}" if harm else None
        if new is None:
            detail = f"{old.visibility} · {counted(calls, 'call')} in 24 h"
            yield _change("functions", "removed", each.name, detail, consent, calls=calls)
        elif differences := _function_differences(old, new):
            more: dict[str, Any] = {"calls": calls, "before": _signature(old), "after": _signature(new)}
            consent = consent if new.visibility != "public" else None
            yield _change("functions", "changed", each.name, "; ".join(differences), consent, **more)


def _signature(function: FunctionDescription) -> str:
    """Return a function as lines to compare."""
    lines = [f"{function.visibility} {function.kind}"]
    for name, validator in (("args", function.args), ("returns", function.returns)):
        lines += [f"{name}:", *(f"  {line}" for line in shape_lines(validator))]
    return "\n".join(lines)


def _function_differences(old: FunctionDescription, new: FunctionDescription) -> list[str]:
    found = [
        f"{name}: {before} → {after}"
        for name, before, after in (
            ("kind", old.kind, new.kind), ("visibility", old.visibility, new.visibility),
        )
        if before != after
    ]  # fmt: skip
    for name, before, after in (("args", old.args, new.args), ("returns", old.returns, new.returns)):
        found += [
            f"{name}: {text if text[0] in '+-' or not where else f'{where}: {text}'}"
            for where, text in shape_changes(before, after)
        ]
    return found


# Tables and indexes


def _tables(changes: SchemaChanges, documents: Mapping[str, int]) -> Iterable[Change]:
    for each in changes.tables:
        stored = documents.get(each.name, 0)
        if each.before is None:
            holds = f" · {counted(stored, 'document')}" if stored else ""
            yield _change("schema", "added", each.name, f"table{holds}", documents=stored)
        elif each.after is None:
            detail = f"table · {counted(stored, 'document')} kept"
            yield _change("schema", "removed", each.name, detail, documents=stored)
        else:
            before, after = each.before.validator, each.after.validator
            for where, text in shape_changes(before, after):
                kind = {"+": "added", "-": "removed"}.get(text[0], "changed")
                name = f"{each.name}.{where}" if where else each.name
                lines = {"before": "\n".join(shape_lines(before)), "after": "\n".join(shape_lines(after))}
                yield _change("schema", kind, name, text.lstrip("+- "), **lines)
    for flag in changes.flags:
        yield _change("schema", "changed", flag.name, "on" if flag.after else "off")


def stored_indexes(catalog: Catalog, table: str) -> dict[tuple[str, tuple[str, ...]], IndexInfo]:
    """Return the declared indexes that a table has, those being built included."""
    info = catalog.by_name.get(table)
    return {
        (index.name, index.fields): index
        for index in (() if info is None else info.indexes)
        if index.name != "by_creation_time" and index.state in ("building", "ready")
    }


def _indexes(
    catalog: Catalog, app: AppDescription, documents: Mapping[str, int], request: PushRequest
) -> Iterable[Change]:
    for table, definition in app.tables.items():
        have = stored_indexes(catalog, table)
        wanted = {(index.name, index.fields): index for index in definition.indexes}
        stored = documents.get(table, 0)
        again = {name for name, _ in wanted.keys() - have.keys()}
        for key in sorted(wanted.keys() - have.keys()):
            staged = " · in the background, staged" if wanted[key].staged else ""
            build = f"build over ~{counted(stored, 'document')}" if stored else "nothing to build"
            fields: dict[str, Any] = {
                "fields": list(key[1]), "documents": stored, "staged": wanted[key].staged,
            }  # fmt: skip
            yield _change("indexes", "added", f"{table}.{key[0]}", build + staged, **fields)
        for key in sorted(have.keys() - wanted.keys()):
            yield _dropped(table, have[key], stored, request, rebuilt=key[0] in again)
        for key in sorted(wanted.keys() & have.keys()):
            if wanted[key].staged != have[key].staged:
                building = " when it is built" if have[key].state == "building" else ""
                text = "staged: not to be queried" if wanted[key].staged else f"no longer staged{building}"
                more: dict[str, Any] = {"documents": stored, "building": have[key].state == "building"}
                yield _change("indexes", "changed", f"{table}.{key[0]}", text, **more)


def _dropped(table: str, index: IndexInfo, stored: int, request: PushRequest, *, rebuilt: bool) -> Change:
    name = f"{table}.{index.name}"
    consent = None
    if index.staged:
        consent = f"staged-drop:{name}"
    elif stored > request.large_table_documents:
        consent = f"index-drop:{name}"
    what = "with the fields it had: rebuilt" if rebuilt else "not needed to keep data"
    fields: dict[str, Any] = {
        "fields": list(index.fields), "documents": stored, "staged": index.staged,
    }  # fmt: skip
    return _change("indexes", "removed", name, f"{counted(stored, 'document')} · {what}", consent, **fields)


# The rest


def _crons(changes: Iterable[AppChange[CronDescription]]) -> Iterable[Change]:
    for each in changes:
        was, now = (
            f"{in_words(job.schedule)} {job.function}" if job else "" for job in (each.before, each.after)
        )
        detail = f"{was} → {now}" if was != now else "other arguments"
        yield _change("crons", each.kind, each.name, detail if each.kind == "changed" else was or now)


def _environment(
    known: Mapping[str, str], environment: Mapping[str, str], request: PushRequest, plan: Plan
) -> Iterable[Change]:
    setting = {change.name for change in request.environment}
    for change in request.environment:
        if change.name not in known:
            yield _change("env", "added", change.name, "set by this push")
        elif known[change.name] != change.value:
            yield _change("env", "changed", change.name, "set by this push")
    present = {*environment, *setting}
    missing = [name for name in request.required if name not in present]
    for name in [*missing, *(name for name in request.reads if name not in present and name not in missing)]:
        kind = "missing" if name in missing else "unset"
        yield _change("env", kind, name, "required and not set" if kind == "missing" else "not set")
    if missing:
        text = f"required and not set: {', '.join(missing)}"
        hint = f"convexpy env set {missing[0]}, or --set-env {missing[0]}=VALUE"
        plan.block("EnvMissing", text, hint, missing=missing, retryOn="env")


def _check_consents(plan: Plan, request: PushRequest) -> None:
    wanted = [change["consent"] for change in plan.changes if change["consent"]]
    missing = [consent for consent in wanted if not covered(consent, request.allow or ())]
    if missing:
        text = f"{len(missing)} change{'s need' if len(missing) > 1 else ' needs'} consent"
        plan.block("ConsentRequired", text, f"--allow={','.join(missing)}", consents=missing)
