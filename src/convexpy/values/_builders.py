"""The functions that make validators, and the ready-made ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias, overload

from convexpy.errors import ProjectError
from convexpy.values._compound import (
    ArrayValidator,
    ObjectValidator,
    OptionalValidator,
    RecordValidator,
    UnionValidator,
    one_mapping,
)
from convexpy.values._json import from_json
from convexpy.values._types import Int64
from convexpy.values._validator import (
    ANY,
    IdValidator,
    LiteralValidator,
    ScalarValidator,
    Validator,
    Validators,
)

_String: TypeAlias = str
_LiteralValue: TypeAlias = str | float | bool | Int64


class ArgumentName:
    """Made by `v.arg`: the name on the wire of an argument."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name: str = name

    def __repr__(self) -> str:
        return f"v.arg({self.name!r})"


class Builders:
    """The validators by name: the namespace `v` without what reads annotations."""

    def string(self) -> Validator:
        """A string."""
        return ScalarValidator("string")

    def number(self) -> Validator:
        """A number: `int` when whole, else `float`."""
        return ScalarValidator("number")

    def float64(self) -> Validator:
        """The same as `number`."""
        return ScalarValidator("number")

    def int(self) -> Validator:
        """A number that must be whole."""
        return ScalarValidator("int").converting(int)

    def int64(self) -> Validator:
        """A 64-bit integer, `Int64`."""
        return ScalarValidator("int64")

    def boolean(self) -> Validator:
        """A bool; never a number."""
        return ScalarValidator("boolean")

    def null(self) -> Validator:
        """None."""
        return ScalarValidator("null")

    def bytes(self) -> Validator:
        """Bytes."""
        return ScalarValidator("bytes")

    def any(self) -> Validator:
        """Any Convex value."""
        return ANY

    def id(self, table: _String, /) -> Validator:
        """The id of a document; also of `_storage` and `_scheduled_functions`."""
        return IdValidator(table)

    def literal(self, *values: _LiteralValue) -> Validator:
        """One literal, or the union of several. `True`, `1` and `Int64(1)` differ."""
        if not values:
            raise ProjectError("v.literal needs at least one value")
        literals = tuple(LiteralValidator(value) for value in values)
        return literals[0] if len(literals) == 1 else UnionValidator(literals)

    def array(self, items: Validator, /) -> Validator:
        """A list of such items."""
        return ArrayValidator(items)

    @overload
    def object(self, fields: Validators, /) -> ObjectValidator: ...
    @overload
    def object(self, **fields: Validator) -> ObjectValidator: ...
    def object(self, *given: Validators, **fields: Validator) -> ObjectValidator:
        """An object with these fields and no others, given as one mapping or as keywords."""
        return ObjectValidator(one_mapping("v.object", given, fields))

    def record(self, keys: Validator, values: Validator, /) -> Validator:
        """An object whose keys are data: strings or ids."""
        return RecordValidator(keys, values)

    def union(self, *members: Validator) -> Validator:
        """Whatever fits one of the members."""
        return UnionValidator(members)

    def nullable(self, inner: Validator, /) -> Validator:
        """The value or None."""
        return UnionValidator((inner, ScalarValidator("null")))

    def optional(self, inner: Validator, /) -> Validator:
        """The field may be absent: in objects, tables and arguments only."""
        return OptionalValidator(inner)

    def arg(self, name: _String, /) -> ArgumentName:
        """`Annotated[T, v.arg("sessionId")]`: the argument's name on the wire."""
        return ArgumentName(name)


v = Builders()

_text_or_null = v.nullable(v.string())

pagination_opts: ObjectValidator = ObjectValidator(
    {
        "numItems": v.number(),
        "cursor": _text_or_null,
        "endCursor": v.optional(_text_or_null),
        "id": v.optional(v.number()),
        "maximumRowsRead": v.optional(v.number()),
        "maximumBytesRead": v.optional(v.number()),
    },
    name="PaginationOptions",
    module="convexpy",
)
"""The validator of `paginationOpts`; the same as the annotation `PaginationOptions`."""


def pagination_result(item: Validator, /) -> ObjectValidator:
    """The validator of a page of such items; the same as the annotation `PaginationResult[T]`."""
    return page_of(item, None)


def page_of(item: Validator, convert: Callable[[Any], Any] | None) -> ObjectValidator:
    """Return the validator of a page, with a conversion."""
    status = v.union(v.literal("SplitRecommended"), v.literal("SplitRequired"), v.null())
    fields = {
        "page": v.array(item),
        "isDone": v.boolean(),
        "continueCursor": v.string(),
        "splitCursor": v.optional(_text_or_null),
        "pageStatus": v.optional(status),
    }
    return ObjectValidator(fields, name="PaginationResult", module="convexpy", convert=convert)


def load_validator(described: Mapping[str, Any]) -> Validator:
    """Return the validator of a description or an official export.

    Raises:
        ProjectError: it describes nothing known.
    """
    kind = described.get("type")
    inner = described.get("value")
    match kind:
        case "number":
            return v.int() if described.get("int") else v.number()
        case "bigint":
            return v.int64()
        case "string" | "boolean" | "null" | "bytes" | "any":
            return ScalarValidator(str(kind))
        case "id":
            return v.id(described["tableName"])
        case "literal":
            return LiteralValidator(from_json(inner))
        case "array":
            return v.array(load_validator(described["value"]))
        case "record":
            return v.record(
                load_validator(described["keys"]), load_validator(described["values"]["fieldType"])
            )
        case "union":
            return UnionValidator(tuple(load_validator(each) for each in described["value"]))
        case "object":
            fields = {name: _load_field(each) for name, each in described["value"].items()}
            return ObjectValidator(fields, name=described.get("name"), module=described.get("module"))
        case _:
            raise ProjectError(f"unknown validator: {described!r}")


def _load_field(described: Mapping[str, Any]) -> Validator:
    validator = load_validator(described["fieldType"])
    if not described.get("optional"):
        return validator
    return OptionalValidator(validator, has_default=bool(described.get("default")))
