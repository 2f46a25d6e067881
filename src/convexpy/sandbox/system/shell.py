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
from convexpy.protocol.system.shell import Evaluate, EvaluateWrites, Evaluation
from convexpy.sandbox.host import CallContext, TransactionCallHost
from convexpy.sandbox.system._registry import handles
from convexpy.values import ConvexObject, normalize

SOURCE_NAME = "<shell>"
TEXT_LENGTH_MAX = 200_000
_DEFINES = ast.Import | ast.ImportFrom | ast.FunctionDef | ast.ClassDef
_OFFERED = ("Int64", "StorageId", "UNSET", "from_ms", "to_ms", "v")


class SourceError(Error):
    """What was typed is not Python."""


class ChangedMeanwhile(Error):
    """What was agreed to is not what would be written now."""


@handles(Evaluate)
def evaluate(context: CallContext, call: Evaluate) -> Evaluation:
    return _evaluated(context, call)


@handles(EvaluateWrites)
def evaluate_writes(context: CallContext, call: EvaluateWrites) -> Evaluation:
    return _evaluated(context, call)


def _evaluated(context: CallContext, call: Evaluate | EvaluateWrites) -> Evaluation:
    """Run the source; whatever it writes is taken back, unless these changes were agreed to."""
    commit = call.commit if isinstance(call, EvaluateWrites) else None
    tree = _parsed(call.source)
    space = _space(context, call)
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
        if commit is not None:
            _check_agreed(commit, changes)
            transaction.merge()
            done = True
    finally:
        transaction.is_privileged = privileged
        if not done:
            transaction.drop()
    scope, lost = _assigned(kept, space, call.scope)
    return Evaluation(
        value=_plain(value),
        text="" if value is None else pprint.pformat(value, sort_dicts=False)[:TEXT_LENGTH_MAX],
        changes=changes,
        scope=scope,
        prelude=[*call.prelude, *(ast.unparse(node) for node in tree.body if isinstance(node, _DEFINES))],
        lost=lost,
    )


def _parsed(source: str) -> ast.Module:
    try:
        return ast.parse(source, SOURCE_NAME)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = getattr(error, "lineno", None) or 1
        raise SourceError(f"{getattr(error, 'msg', None) or error} (line {line})") from error


def _space(context: CallContext, call: Evaluate | EvaluateWrites) -> dict[str, Any]:
    definition = FunctionDefinition(kind=call.kind, visibility="internal", handler=_evaluated, run=_evaluated)
    definition.path = SOURCE_NAME
    host = TransactionCallHost(context, definition)
    ctx: QueryCtx | MutationCtx = MutationCtx(host) if isinstance(call, EvaluateWrites) else QueryCtx(host)
    space: dict[str, Any] = {name: getattr(convexpy, name) for name in _OFFERED}
    space |= {"__name__": SOURCE_NAME, "ctx": ctx, "db": ctx.db}
    for text in call.prelude:
        exec(compile(text, SOURCE_NAME, "exec"), space)
    return {**space, **call.scope}


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
    before: dict[str, Any], after: dict[str, Any], scope: ConvexObject
) -> tuple[ConvexObject, list[str]]:
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


def _check_agreed(agreed: list[ConvexObject], changes: list[ConvexObject]) -> None:
    """Refuse to write anything but what was shown; ids of new documents are new every time."""

    def essence(change: ConvexObject) -> tuple[Any, ...]:
        return change["table"], change["kind"], None if change["kind"] == "insert" else change["id"]

    if [essence(each) for each in agreed] != [essence(each) for each in changes]:
        raise ChangedMeanwhile("the data has changed since this was shown: nothing was written, run it again")
