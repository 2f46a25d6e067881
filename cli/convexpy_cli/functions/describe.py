"""The work of `convexpy functions`: descriptions of functions, from a deployment or from local code."""

from __future__ import annotations

import contextlib
import json
import shlex
from collections.abc import Callable, Mapping
from typing import Any

from convexpy.client import AdminClient, DataClient, DeploymentError, DocumentQuery
from convexpy.protocol.admin_api import FunctionReport
from convexpy.protocol.app_description import AppDescription, FunctionDescription
from convexpy_cli.context import Context
from convexpy_cli.schema.python_types import PythonTypes

_NO_CALLS = {"calls": 0, "errors": 0, "p95Ms": None}
KINDS = ("query", "mutation", "action")


def described(ctx: Context, command: str, *, local: bool) -> tuple[AppDescription, str]:
    """Return the description of an app, and the URL of its deployment: empty for local code."""
    if local:
        from convexpy.project import analyze

        return analyze(ctx.project), ""
    with ctx.connected(command) as (_, client):
        return client.app(), client.urls()[0]


def row(function: FunctionDescription, counts: Mapping[str, FunctionReport] | None) -> dict[str, Any]:
    """Return a function as scripts read it; with `counts` its calls, too."""
    names = ("path", "kind", "visibility", "args", "returns", "file", "line")
    found: dict[str, Any] = {name: getattr(function, name) for name in names}
    if counts is not None:
        own = counts.get(function.path)
        found |= {"calls": own.calls, "errors": own.errors, "p95Ms": own.p95_ms} if own else _NO_CALLS
    return found


def cells(each: Mapping[str, Any], types: PythonTypes) -> list[str]:
    """Return a function's line of the list."""
    place = f"{each['file']}:{each['line']}" if each["file"] else "-"
    line = [each["path"], each["kind"], each["visibility"], types.parameters(each["args"]), place]
    if "calls" in each:
        p95 = "-" if each["p95Ms"] is None else f"{each['p95Ms']:g}"
        line += [f"{each['calls']:,}", f"{each['errors']:,}", p95]
    return line


def fields(function: FunctionDescription, types: PythonTypes, call: str) -> dict[str, Any]:
    """Return a function in full, for people; `call` is a command line that calls it."""
    return {
        "function": f"{function.path}  ({function.visibility} {function.kind})",
        "arguments": types.parameters(function.args) or "none",
        "returns": types.of(function.returns),
        "defined in": f"{function.file}:{function.line}" if function.file else "-",
        "about": function.doc,
        "try": call,
    }


def example(function: FunctionDescription, some_id: Callable[[str], str | None]) -> str:
    """Return the words that call a function with what it must have; `some_id` returns the id of a document of a table."""
    fields = function.args.get("value")
    words = [
        f"{name}={_word(each['fieldType'], some_id)}"
        for name, each in (fields.items() if isinstance(fields, dict) else ())
        if not each.get("optional")
    ]
    return shlex.join([function.path, *words])


def newest_id(client: AdminClient, table: str) -> str | None:
    """Return the id of the newest document of a table; None if there is none, or the key may not look."""
    with contextlib.suppress(DeploymentError):
        page, _ = DataClient(client).page(DocumentQuery(table, "desc"), 1, None)
        return str(page[0]["_id"]) if page else None
    return None


def _word(validator: Mapping[str, Any], some_id: Callable[[str], str | None]) -> str:
    kind, value = validator["type"], _sample(validator, some_id)
    if kind == "union" and not isinstance(value, dict | list):
        return _word(_first(validator), some_id)
    if kind == "bigint":
        return "1"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _sample(validator: Mapping[str, Any], some_id: Callable[[str], str | None]) -> Any:
    """Return a value that a validator accepts, as JSON."""
    kind = validator["type"]
    if kind == "union":
        return _sample(_first(validator), some_id)
    if kind == "id":
        return some_id(validator["tableName"]) or f"ID_OF_{validator['tableName'].lstrip('_')}"
    if kind == "object":
        return {
            name: _sample(each["fieldType"], some_id)
            for name, each in validator["value"].items()
            if not each.get("optional")
        }
    samples: dict[str, Any] = {
        "literal": validator.get("value"),
        "number": 1,
        "bigint": {"$integer": "AQAAAAAAAAA="},
        "boolean": True,
        "array": [],
        "record": {},
        "null": None,
        "bytes": {"$bytes": ""},
    }
    return samples.get(kind, "text")


def _first(union: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the member of a union that says most: the first that is not null."""
    members: list[Mapping[str, Any]] = union["value"] or [{"type": "null"}]
    return next((each for each in members if each["type"] != "null"), members[0])
