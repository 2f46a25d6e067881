"""From what a query builder collected to a half-open range of index keys, with Convex's errors."""

from __future__ import annotations

from typing import Any

from convexpy.database.catalog import IndexInfo, TableInfo
from convexpy.errors import ArgumentError, did_you_mean
from convexpy.functions import Bound, QueryPlan
from convexpy.values import UNSET, encode_key, encode_value, prefix_successor, to_json

_MORE = "For more information see https://docs.convex.dev/using/indexes."
_STRING_TAG = 0x10
_ALL = b"\xff"


def find_index(table: TableInfo, name: str) -> IndexInfo:
    """Return the index that a query names; not for `by_id`, which is not stored.

    Raises:
        ArgumentError: there is none, or it cannot be queried yet.
    """
    index = table.by_name.get(name)
    if index is None:
        raise ArgumentError(
            f"Index {table.name}.{name} not found.{did_you_mean(name, table.by_name)}",
            code="IndexNotFoundError",
        )
    if index.is_ready:
        return index
    if index.staged or index.state == "staged":
        raise ArgumentError(
            f"Index {table.name}.{name} is currently staged and not available to query until it is enabled.",
            code="IndexStagedError",
        )
    raise ArgumentError(
        f"Index {table.name}.{name} is currently backfilling and not available to query yet.",
        code="IndexBackfillingError",
    )


def key_range(plan: QueryPlan, declared: tuple[str, ...]) -> tuple[bytes, bytes]:
    """Return `[lower, upper)` of the keys that a plan asks for; `declared` are the fields of its index.

    Raises:
        ArgumentError: the conditions are not a prefix of the index's fields with at most one range at the
        end.
    """
    if plan.lower is None and plan.upper is None:
        # The usual cases, without the checks that they pass anyway.
        if not plan.equal:
            return b"", _ALL
        if len(plan.equal) == 1 and declared and plan.equal[0][0] == declared[0]:
            lower = encode_value(plan.equal[0][1])
            return lower, prefix_successor(lower)
    equal = _in_order(plan, declared)
    if plan.index == "by_id":
        return _id_range(equal.get("_id", UNSET), plan)
    prefix = encode_key(list(equal.values()))
    lower, upper = prefix, prefix_successor(prefix)
    if plan.lower is not None:
        lower = prefix + encode_value(plan.lower.value)
        if not plan.lower.inclusive:
            lower = prefix_successor(lower)
    if plan.upper is not None:
        upper = prefix + encode_value(plan.upper.value)
        if plan.upper.inclusive:
            upper = prefix_successor(upper)
    return lower, max(lower, upper)


def _in_order(plan: QueryPlan, declared: tuple[str, ...]) -> dict[str, Any]:
    """Return the equalities in the order of the index's fields, checked."""
    fields = ("_id",) if plan.index == "by_id" else (*declared, "_creationTime", "_id")
    name = f"{plan.table}.{plan.index or 'by_creation_time'}"
    equal: dict[str, Any] = {}
    for field, value in plan.equal:
        if field in equal:
            raise _already_defined("equality", field, "==", value)
        equal[field] = value
    bounded = _bounded_field(plan, equal, name)
    used = [*equal, *([bounded] if bounded is not None else [])]
    for field in used:
        if field not in fields:
            raise ArgumentError(
                f"The index range included a comparison with {_quoted(field)}, but {name} with fields "
                f"{_listed(fields)} doesn't index this field. {_MORE}",
                code="FieldNotInIndex",
            )
    if not plan.ordered:
        equal = {field: equal[field] for field in sorted(equal, key=fields.index)}
        used = [*equal, *([bounded] if bounded is not None else [])]
    for place, field in enumerate(used):
        if fields[place] != field:
            raise ArgumentError(
                f"Tried to query index {name} but the query didn't use the index fields in order.\n"
                f"Index fields: {_listed(fields)}\nQuery fields: {_listed(used)}\n"
                f"First incorrect field: {_quoted(field)}\n{_MORE}",
                code="InvalidIndexRange",
            )
    return equal


def _bounded_field(plan: QueryPlan, equal: dict[str, Any], name: str) -> str | None:
    """Return the one field that has a lower or an upper bound."""
    fields = [bound.field for bound in (plan.lower, plan.upper) if bound is not None]
    if len(fields) == 2 and fields[0] != fields[1]:
        raise ArgumentError(
            "Upper and lower bounds in `range` can only be applied to a single index field. "
            f"This query against index {name} attempted to set a range bound on both "
            f"{_quoted(fields[0])} and {_quoted(fields[1])}. "
            "Consider using `filter` instead. See https://docs.convex.dev/using/indexes for more info.",
            code="BoundsOnMultipleFields",
        )
    if not fields:
        return None
    if fields[0] in equal:
        raise _already_defined("inequality", fields[0], "==", equal[fields[0]])
    return fields[0]


def _already_defined(kind: str, field: str, comparator: str, value: Any) -> ArgumentError:
    shown = "undefined" if value is UNSET else to_json(value)
    return ArgumentError(
        f"Already defined {kind} bound in index range. Can't add {_quoted(field)} {comparator} {shown}.",
        code="AlreadyDefinedBound",
    )


def _id_range(equal: Any, plan: QueryPlan) -> tuple[bytes, bytes]:
    """`by_id` is not a stored index: its keys are the ids themselves, not encoded values."""
    if equal is not UNSET:
        point = _id_key(equal)
        return point, point + b"\0"
    lower = _after(plan.lower, inclusive_goes_before=True) if plan.lower is not None else b""
    upper = _after(plan.upper, inclusive_goes_before=False) if plan.upper is not None else _ALL
    return lower, max(lower, upper)


def _after(bound: Bound, *, inclusive_goes_before: bool) -> bytes:
    key = _id_key(bound.value)
    return key if bound.inclusive == inclusive_goes_before else key + b"\0"


def _id_key(value: Any) -> bytes:
    if isinstance(value, str):
        return value.encode()
    # Ids are strings; whatever sorts before all strings is before all ids.
    return b"" if encode_value(value)[0] < _STRING_TAG else _ALL


def _quoted(field: str) -> str:
    return f'"{field}"'


def _listed(fields: list[str] | tuple[str, ...]) -> str:
    return "[" + ", ".join(_quoted(field) for field in fields if field != "_id" or len(fields) == 1) + "]"
