"""Python that the holder of an admin key types: evaluated in one transaction, which may be shown before it is made.

Nothing is kept here between two inputs. What they share travels with them: values as Convex values, imports and
definitions as their source.
"""

from __future__ import annotations

import ast
import pprint
from typing import Any

import msgspec

import convexpy
from convexpy.errors import ArgumentError, Error
from convexpy.functions import FunctionDefinition, MutationCtx, QueryCtx
from convexpy.sandbox.host import CallContext, TransactionCallHost
from convexpy.values import normalize

SOURCE_NAME = "<shell>"
TEXT_LENGTH_MAX = 200_000
_DEFINES = ast.Import | ast.ImportFrom | ast.FunctionDef | ast.ClassDef
_OFFERED = ("Int64", "StorageId", "UNSET", "from_ms", "to_ms", "v")


class SourceError(Error):
    """What was typed is not Python."""

    default_code = "SourceError"


class ChangedMeanwhile(Error):
    """What was agreed to is not what would be written now."""

    default_code = "ChangedMeanwhile"


def evaluate(context: CallContext, args: dict[str, Any]) -> dict[str, Any]:
    """Run `source` with `ctx` and `db`; return its last expression, and what it would write.

    Takes `source prelude scope`, `write` for a `ctx` that can write, and `commit` with the `changes` that were agreed to:
    without it everything is taken back. Answers `value text changes scope prelude lost`; `lost` names variables that are
    no Convex values and so cannot be kept.
    """
    writes = bool(args.get("write"))
    tree = _parsed(args["source"])
    space = _space(context, args, writes=writes)
    kept = dict(space)
    transaction = context.transaction
    privileged, transaction.is_privileged = transaction.is_privileged, False
    # What people type has the limits of their functions, not those of the engine.
    transaction.push(msgspec.structs.asdict(context.settings.knobs.transaction))
    done = False
    try:
        value = _run(tree, space)
        value = list(value) if isinstance(value, convexpy.Query) else value
        changes = transaction.changes()
        if writes and args.get("commit") is not None:
            _check_agreed(args["commit"], changes)
            transaction.merge()
            done = True
    finally:
        transaction.is_privileged = privileged
        if not done:
            transaction.drop()
    scope, lost = _assigned(kept, space, args.get("scope", {}))
    return {
        "value": _plain(value),
        "text": "" if value is None else pprint.pformat(value, sort_dicts=False)[:TEXT_LENGTH_MAX],
        "changes": changes,
        "scope": scope,
        "prelude": [*args.get("prelude", ()), *_definitions(tree, args["source"])],
        "lost": lost,
    }


def _parsed(source: str) -> ast.Module:
    try:
        return ast.parse(source, SOURCE_NAME)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = getattr(error, "lineno", None) or 1
        raise SourceError(f"{getattr(error, 'msg', None) or error} (line {line})") from error


def _space(context: CallContext, args: dict[str, Any], *, writes: bool) -> dict[str, Any]:
    definition = FunctionDefinition(
        kind="mutation" if writes else "query", visibility="internal", handler=evaluate, run=evaluate
    )
    definition.path = SOURCE_NAME
    host = TransactionCallHost(context, definition)
    ctx: QueryCtx | MutationCtx = MutationCtx(host) if writes else QueryCtx(host)
    space: dict[str, Any] = {name: getattr(convexpy, name) for name in _OFFERED}
    space |= {"__name__": SOURCE_NAME, "ctx": ctx, "db": ctx.db}
    for text in args.get("prelude", ()):
        exec(compile(text, SOURCE_NAME, "exec"), space)
    return {**space, **args.get("scope", {})}


def _run(tree: ast.Module, space: dict[str, Any]) -> Any:
    """Run the statements; return the value of the last one, if it is an expression."""
    last = tree.body[-1] if tree.body else None
    body = tree.body[:-1] if isinstance(last, ast.Expr) else tree.body
    exec(compile(ast.Module(body, []), SOURCE_NAME, "exec"), space)
    if isinstance(last, ast.Expr):
        return eval(compile(ast.Expression(last.value), SOURCE_NAME, "eval"), space)
    return None


def _plain(value: Any) -> Any:
    try:
        return normalize(value)
    except ArgumentError:
        return repr(value)[:TEXT_LENGTH_MAX]


def _assigned(
    before: dict[str, Any], after: dict[str, Any], scope: dict[str, Any]
) -> tuple[dict[str, Any], list[str]]:
    """Return the variables to keep, and the names of those that cannot be."""
    kept = {name: value for name, value in scope.items() if name in after}
    lost: list[str] = []
    for name, value in after.items():
        if name.startswith("_") or (name in before and before[name] is value and name not in scope):
            continue
        try:
            kept[name] = normalize(value)
        except ArgumentError:
            kept.pop(name, None)
            if not (isinstance(value, type) or callable(value) or hasattr(value, "__spec__")):
                lost.append(name)
    return kept, lost


def _definitions(tree: ast.Module, source: str) -> list[str]:
    return [ast.unparse(node) for node in tree.body if isinstance(node, _DEFINES)]


def _check_agreed(agreed: list[dict[str, Any]], changes: list[dict[str, Any]]) -> None:
    """Refuse to write anything but what was shown; ids of new documents are new every time."""

    def essence(change: dict[str, Any]) -> tuple[Any, ...]:
        return change["table"], change["kind"], None if change["kind"] == "insert" else change["id"]

    if [essence(each) for each in agreed] != [essence(each) for each in changes]:
        raise ChangedMeanwhile("the data has changed since this was shown: nothing was written, run it again")


FUNCTIONS = {"_system/shell:evaluate": evaluate, "_system/shell:write": evaluate}
