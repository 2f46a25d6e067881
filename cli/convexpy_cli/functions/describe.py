"""The work of `convexpy functions`: descriptions of functions, from a deployment or from local code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from convexpy.protocol.admin_api import FunctionReport
from convexpy.protocol.app_description import AppDescription, FunctionDescription
from convexpy.schema.shapes import shape
from convexpy_cli.context import Context

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


def cells(each: Mapping[str, Any]) -> list[str]:
    """Return a function's line of the list."""
    place = f"{each['file']}:{each['line']}" if each["file"] else "-"
    line = [each["path"], each["kind"], each["visibility"], arguments(each["args"]), place]
    if "calls" in each:
        p95 = "-" if each["p95Ms"] is None else f"{each['p95Ms']:g}"
        line += [f"{each['calls']:,}", f"{each['errors']:,}", p95]
    return line


def arguments(args: Mapping[str, Any] | None) -> str:
    """Return what a function takes: `body: string, limit?: number`."""
    text = shape(args)
    return text[2:-2] if text.startswith("{ ") else "" if text == "{}" else text


def fields(function: FunctionDescription) -> dict[str, Any]:
    """Return a function in full, for people."""
    return {
        "function": f"{function.path}  ({function.visibility} {function.kind})",
        "arguments": arguments(function.args) or "none",
        "returns": shape(function.returns) if function.returns else "anything",
        "defined in": f"{function.file}:{function.line}" if function.file else "-",
        "about": function.doc,
        "try": example(function),
    }


def example(function: FunctionDescription) -> str:
    """Return a command line that calls the function with what it must have."""
    fields = function.args.get("value")
    words = [
        f"{name}={_sample(each['fieldType'])}"
        for name, each in (fields.items() if isinstance(fields, dict) else ())
        if not each.get("optional")
    ]
    return " ".join(["convexpy run", function.path, *words])


def _sample(validator: Mapping[str, Any]) -> str:
    kind = validator["type"]
    if kind == "union":
        return _sample(validator["value"][0]) if validator["value"] else "…"
    if kind == "literal":
        return str(validator["value"])
    samples = {
        "number": "1",
        "bigint": "1",
        "boolean": "true",
        "null": "null",
        "array": "'[]'",
        "object": "'{}'",
    }
    return samples.get(kind, "…")
