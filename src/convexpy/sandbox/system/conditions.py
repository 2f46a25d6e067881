"""Conditions on documents as people type them: `status == "failed" and size > 10`.

A condition is read with Python's grammar and checked node by node: names are fields (`meta.kind` reaches into objects),
values are constants and lists of them, and nothing can be called but `has(field)`.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable
from typing import Any

from convexpy.errors import ArgumentError
from convexpy.values import UNSET, compare

LENGTH_MAX = 10_000
_CONSTANTS = {"true": True, "false": False, "null": None, "None": None, "True": True, "False": False}
_ORDER: dict[type[ast.cmpop], Callable[[int, int], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}

Value = Callable[[dict[str, Any]], Any]
Predicate = Callable[[dict[str, Any]], bool]


def parse_condition(text: str) -> Predicate:
    """Return the predicate that a condition stands for.

    A missing field equals nothing and is in no order with anything; neither are values of different types.

    Raises:
        ArgumentError: it is not a condition; says at which column.
    """
    if len(text) > LENGTH_MAX:
        raise ArgumentError(f"a condition has at most {LENGTH_MAX} characters", code="BadCondition")
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        column = getattr(error, "offset", None) or 1
        raise _wrong(f"not a condition (column {column})") from error
    return _predicate(tree.body)


def _wrong(reason: str) -> ArgumentError:
    return ArgumentError(
        f'{reason}; conditions look like: status == "failed" and size > 10', code="BadCondition"
    )


def _at(node: ast.expr) -> str:
    return f"column {node.col_offset + 1}: {ast.unparse(node)}"


def _predicate(node: ast.expr) -> Predicate:
    if isinstance(node, ast.BoolOp):
        parts = [_predicate(part) for part in node.values]
        every = all if isinstance(node.op, ast.And) else any
        return lambda document: every(part(document) for part in parts)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        part = _predicate(node.operand)
        return lambda document: not part(document)
    if isinstance(node, ast.Compare):
        return _comparisons(node)
    if isinstance(node, ast.Call):
        return _has(node)
    value = _value(node)
    return lambda document: value(document) is True


def _has(node: ast.Call) -> Predicate:
    if not (isinstance(node.func, ast.Name) and node.func.id == "has" and len(node.args) == 1):
        raise _wrong(f"only has(field) can be called ({_at(node)})")
    value = _value(node.args[0])
    return lambda document: value(document) is not UNSET


def _comparisons(node: ast.Compare) -> Predicate:
    values = [_value(each) for each in (node.left, *node.comparators)]
    tests = [_comparison(test, node) for test in node.ops]

    def holds(document: dict[str, Any]) -> bool:
        found = [value(document) for value in values]
        return all(test(a, b) for test, a, b in zip(tests, found, found[1:], strict=False))

    return holds


def _comparison(test: ast.cmpop, node: ast.Compare) -> Callable[[Any, Any], bool]:
    if isinstance(test, ast.Eq):
        return _equal
    if isinstance(test, ast.NotEq):
        return lambda a, b: not _equal(a, b)
    if isinstance(test, ast.In):
        return _contains
    if isinstance(test, ast.NotIn):
        return lambda a, b: not _contains(a, b)
    order = _ORDER.get(type(test))
    if order is None:
        raise _wrong(f"this comparison is not known ({_at(node)})")
    return lambda a, b: _comparable(a, b) and order(compare(a, b), 0)


def _kind(value: Any) -> object:
    if isinstance(value, bool) or value is None:
        return type(value)
    return float if isinstance(value, int | float) else type(value)


def _comparable(a: Any, b: Any) -> bool:
    return a is not UNSET and b is not UNSET and _kind(a) is _kind(b)


def _equal(a: Any, b: Any) -> bool:
    return _comparable(a, b) and compare(a, b) == 0


def _contains(item: Any, container: Any) -> bool:
    if isinstance(container, str):
        return isinstance(item, str) and item in container
    return isinstance(container, list) and any(_equal(item, each) for each in container)


def _value(node: ast.expr) -> Value:
    if isinstance(node, ast.Constant) and isinstance(node.value, str | int | float | None):
        return lambda document: node.value
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        number = node.operand
        if isinstance(number, ast.Constant) and isinstance(number.value, int | float):
            negative = -number.value
            return lambda document: negative
    if isinstance(node, ast.List | ast.Tuple):
        items = [_value(each) for each in node.elts]
        return lambda document: [item(document) for item in items]
    if isinstance(node, ast.Name) and node.id in _CONSTANTS:
        constant = _CONSTANTS[node.id]
        return lambda document: constant
    return _field(node)


def _field(node: ast.expr) -> Value:
    names: list[str] = []
    part = node
    while isinstance(part, ast.Attribute):
        names.append(part.attr)
        part = part.value
    if not isinstance(part, ast.Name):
        raise _wrong(f"neither a field nor a value ({_at(node)})")
    path = [part.id, *reversed(names)]

    def read(document: dict[str, Any]) -> Any:
        found: Any = document
        for name in path:
            found = found.get(name, UNSET) if isinstance(found, dict) else UNSET
        return found

    return read
