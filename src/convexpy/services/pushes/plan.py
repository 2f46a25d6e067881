"""What a push would do, found out without changing anything: every change, what it costs, what stands in its way.

A change is `{area, kind, name, detail, consent}` and more where there is more to say; `consent` names the harm that has to
be agreed to, such as `index-drop:messages.by_author`, or is null. Indexes are compared with what is really stored, not
with the schema of the version before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from convexpy.database import Catalog, IndexInfo
from convexpy.engine.checkpoints import CheckpointService
from convexpy.engine.versions import LiveVersion
from convexpy.errors import PushRejected
from convexpy.persistence import CheckpointReader
from convexpy.schema.shapes import in_words, shape_changes, shape_lines
from convexpy.services.pushes.active_app import ActiveApp
from convexpy.services.pushes.changes import tables_to_check
from convexpy.services.pushes.requests import PushRequest
from convexpy.services.variables.service import Variables

Change = dict[str, Any]


@dataclass
class Plan:
    """The changes of a push in the order in which people read them, and what blocks it."""

    changes: list[Change] = field(default_factory=list[Change])
    blocked: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    data: str = "unchanged"

    def to_json(self) -> dict[str, Any]:
        """Return `changes blocked data`."""
        return {"changes": self.changes, "blocked": self.blocked, "data": self.data}

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


class Planner:
    """Plans pushes, and checks stored documents against the schema of one."""

    def __init__(
        self,
        *,
        app: ActiveApp,
        live: LiveVersion,
        checkpoints: CheckpointService,
        open_reader: Callable[[], CheckpointReader],
        variables: Variables,
        calls: Callable[[str], int],
    ) -> None:
        """`calls` returns how often a function was called in the last 24 hours."""
        self._app = app
        self._live = live
        self._checkpoints = checkpoints
        self._open_reader = open_reader
        self._variables = variables
        self._calls = calls

    async def plan(
        self, request: PushRequest, description: dict[str, Any], modules: Mapping[str, str]
    ) -> Plan:
        """Compare a version that was imported with the one that is live, and with the data."""
        plan = Plan()
        before = self._live.registry.description
        plan.changes += _functions(before, description, self._calls, production=request.production)
        await self._checkpoints.catch_up()
        catalog = self._checkpoints.catalog
        documents = await asyncio.to_thread(self._documents, catalog)
        plan.changes += _tables(before["schema"], description["schema"], documents)
        plan.changes += _indexes(catalog, description["schema"], documents, request)
        plan.changes += _named("crons", before["crons"], description["crons"], _cron, "name")
        plan.changes += _routes(before["http"], description["http"])
        if before["auth"] != description["auth"]:
            plan.changes.append(_change("auth", "changed", "providers", "sign-in providers"))
        plan.changes += _modules(self._app.active.modules, modules)
        present = self._app.functions_environment()
        plan.changes += _environment(self._variables.values, present, request, plan)
        await self.check_data(description["schema"], plan)
        _check_consents(plan, request)
        return plan

    def _documents(self, catalog: Catalog) -> dict[str, int]:
        """Return the number of documents of every table, as of the checkpoint."""
        reader = self._open_reader()
        try:
            reader.begin()
            return {table.name: reader.count(table.tablet) for table in catalog.user_tables()}
        finally:
            reader.end()
            reader.close()

    async def check_data(self, schema: dict[str, Any] | None, plan: Plan) -> None:
        """Look at the stored documents of every table whose shape changes."""
        tables = tables_to_check(self._live.registry.description["schema"], schema)
        if schema is None or not tables:
            return
        await self._checkpoints.catch_up()
        misfits = await self._checkpoints.misfits(schema, tables)
        plan.data = "failed" if misfits else "ok"
        if misfits:
            first = misfits[0]
            text = first["documents"][0].partition("\n")[0]
            verb = "does" if first["count"] == 1 else "do"
            message = f'{counted(first["count"], "document")} in "{first["table"]}" {verb} not fit the new schema: {text}'
            plan.blocked.insert(
                0,
                {
                    "code": "SchemaMismatch",
                    "message": message,
                    "hint": "make the field optional, or change the documents first",
                    "data": {
                        "table": first["table"],
                        "documents": first["documents"],
                        "tables": misfits,
                        "retryOn": "data",
                    },
                },
            )


def counted(number: int, what: str) -> str:
    """Return `1 document` or `1,204 documents`."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _change(area: str, kind: str, name: str, detail: str, consent: str | None = None, **more: Any) -> Change:
    return {"area": area, "kind": kind, "name": name, "detail": detail, "consent": consent, **more}


# Functions


def _functions(
    before: dict[str, Any], after: dict[str, Any], calls_of: Callable[[str], int], *, production: bool
) -> Iterable[Change]:
    old = {function["path"]: function for function in before["functions"]}
    new = {function["path"]: function for function in after["functions"]}
    for path in sorted(old.keys() | new.keys()):
        if path not in old:
            function = new[path]
            yield _change("functions", "added", path, f"{function['visibility']} {function['kind']}")
            continue
        calls = calls_of(path)
        was_public = old[path]["visibility"] == "public"
        harm = production and was_public and calls > 0
        consent = f"function-removal:{path}" if harm else None
        if path not in new:
            detail = f"{old[path]['visibility']} · {counted(calls, 'call')} in 24 h"
            yield _change("functions", "removed", path, detail, consent, calls=calls)
            continue
        differences = _function_differences(old[path], new[path])
        if differences:
            hidden = was_public and new[path]["visibility"] != "public"
            more: dict[str, Any] = {
                "calls": calls,
                "before": _signature(old[path]),
                "after": _signature(new[path]),
            }
            yield _change(
                "functions", "changed", path, "; ".join(differences), consent if hidden else None, **more
            )


def _signature(function: dict[str, Any]) -> str:
    """Return a function as lines to compare."""
    lines = [f"{function['visibility']} {function['kind']}"]
    for name in ("args", "returns"):
        lines += [f"{name}:", *(f"  {line}" for line in shape_lines(function[name]))]
    return "\n".join(lines)


def _function_differences(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    found = [
        f"{name}: {old[name]} → {new[name]}" for name in ("kind", "visibility") if old[name] != new[name]
    ]
    for name in ("args", "returns"):
        found += [
            f"{name}: {text if text[0] in '+-' or not where else f'{where}: {text}'}"
            for where, text in shape_changes(old[name], new[name])
        ]
    return found


# Tables and indexes


def _tables(
    before: dict[str, Any] | None, after: dict[str, Any] | None, documents: Mapping[str, int]
) -> Iterable[Change]:
    old = {} if before is None else before["tables"]
    new = {} if after is None else after["tables"]
    for name in sorted(old.keys() | new.keys()):
        stored = documents.get(name, 0)
        if name not in old:
            holds = f" · {counted(stored, 'document')}" if stored else ""
            yield _change("schema", "added", name, f"table{holds}", documents=stored)
        elif name not in new:
            yield _change(
                "schema", "removed", name, f"table · {counted(stored, 'document')} kept", documents=stored
            )
        else:
            for where, text in shape_changes(old[name]["validator"], new[name]["validator"]):
                kind = {"+": "added", "-": "removed"}.get(text[0], "changed")
                lines = {
                    side: "\n".join(shape_lines(schema[name]["validator"]))
                    for side, schema in (("before", old), ("after", new))
                }
                yield _change(
                    "schema", kind, f"{name}.{where}" if where else name, text.lstrip("+- "), **lines
                )
    if before is not None and after is not None:
        for flag in ("schemaValidation", "strictTableNames"):
            if before[flag] != after[flag]:
                yield _change("schema", "changed", flag, "on" if after[flag] else "off")


def stored_indexes(catalog: Catalog, table: str) -> dict[tuple[str, tuple[str, ...]], IndexInfo]:
    """Return the declared indexes that a table has, those being built included."""
    info = catalog.by_name.get(table)
    return {
        (index.name, index.fields): index
        for index in (() if info is None else info.indexes)
        if index.name != "by_creation_time" and index.state in ("building", "ready")
    }


def _indexes(
    catalog: Catalog, schema: dict[str, Any] | None, documents: Mapping[str, int], request: PushRequest
) -> Iterable[Change]:
    for table, definition in ({} if schema is None else schema["tables"]).items():
        have = stored_indexes(catalog, table)
        wanted = {(index["name"], tuple(index["fields"])): index for index in definition["indexes"]}
        stored = documents.get(table, 0)
        again = {name for name, _ in wanted.keys() - have.keys()}
        for key in sorted(wanted.keys() - have.keys()):
            staged = " · in the background, staged" if wanted[key]["staged"] else ""
            build = f"build over ~{counted(stored, 'document')}" if stored else "nothing to build"
            fields: dict[str, Any] = {
                "fields": list(key[1]), "documents": stored, "staged": bool(wanted[key]["staged"]),
            }  # fmt: skip
            yield _change("indexes", "added", f"{table}.{key[0]}", build + staged, **fields)
        for key in sorted(have.keys() - wanted.keys()):
            yield _dropped(table, have[key], stored, request, rebuilt=key[0] in again)
        for key in sorted(wanted.keys() & have.keys()):
            if bool(wanted[key]["staged"]) != have[key].staged:
                building = " when it is built" if have[key].state == "building" else ""
                text = "staged: not to be queried" if wanted[key]["staged"] else f"no longer staged{building}"
                more: dict[str, Any] = {"documents": stored, "building": have[key].state == "building"}
                yield _change("indexes", "changed", f"{table}.{key[0]}", text, **more)


def _dropped(table: str, index: IndexInfo, stored: int, request: PushRequest, *, rebuilt: bool) -> Change:
    name = f"{table}.{index.name}"
    consent = None
    if index.staged:
        consent = f"staged-drop:{name}"
    elif stored > request.large_table_documents:
        consent = f"index-drop:{name}"
    what = "with the fields it had: made anew" if rebuilt else "not needed to keep data"
    fields: dict[str, Any] = {
        "fields": list(index.fields), "documents": stored, "staged": index.staged,
    }  # fmt: skip
    return _change("indexes", "removed", name, f"{counted(stored, 'document')} · {what}", consent, **fields)


# The rest


def _cron(cron: dict[str, Any]) -> str:
    return f"{in_words(cron['schedule'])} {cron['function']}"


def _named(area: str, before: Any, after: Any, text: Any, key: str) -> Iterable[Change]:
    old, new = {each[key]: each for each in before}, {each[key]: each for each in after}
    for name in sorted(old.keys() | new.keys()):
        if name not in old:
            yield _change(area, "added", name, text(new[name]))
        elif name not in new:
            yield _change(area, "removed", name, text(old[name]))
        elif any(old[name][part] != new[name][part] for part in ("schedule", "function", "args")):
            was, now = text(old[name]), text(new[name])
            yield _change(area, "changed", name, f"{was} → {now}" if was != now else "other arguments")


def _routes(before: list[dict[str, Any]], after: list[dict[str, Any]]) -> Iterable[Change]:
    def names(routes: list[dict[str, Any]]) -> set[str]:
        return {
            f"{route['method']} {route.get('path') or route['pathPrefix'] + '*'}"
            for route in routes
            if "method" in route
        }

    old, new = names(before), names(after)
    yield from (_change("http", "added", name, "") for name in sorted(new - old))
    yield from (_change("http", "removed", name, "") for name in sorted(old - new))


def _modules(before: Mapping[str, str], after: Mapping[str, str]) -> Iterable[Change]:
    for path in sorted(before.keys() | after.keys()):
        if before.get(path) != after.get(path):
            kind = "added" if path not in before else "removed" if path not in after else "changed"
            yield _change("modules", kind, path, "")


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
        plan.blocked.append(
            {
                "code": "EnvMissing",
                "message": f"required and not set: {', '.join(missing)}",
                "hint": f"convexpy env set {missing[0]}, or --set-env {missing[0]}=VALUE",
                "data": {"missing": missing, "retryOn": "env"},
            }
        )


def _check_consents(plan: Plan, request: PushRequest) -> None:
    wanted = [change["consent"] for change in plan.changes if change["consent"]]
    missing = [consent for consent in wanted if not covered(consent, request.allow or ())]
    if missing:
        plan.blocked.append(
            {
                "code": "ConsentRequired",
                "message": f"{len(missing)} change{'s need' if len(missing) > 1 else ' needs'} consent",
                "hint": f"--allow={','.join(missing)}",
                "data": {"consents": missing},
            }
        )
