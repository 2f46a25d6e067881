"""Validators: what a value must look like.

Each holds two things made once, when it is defined: `fits`, a closure that answers yes or no fast, and
`convert`, which turns a plain value that fits into what an annotation asked for (None where nothing has to be
done). Only when the answer is no, `violation` walks again to say where and why, in Convex's words.

This module has the base and the validators without parts; `_compound` has the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final, NoReturn, TypeAlias

from convexpy.errors import ArgumentError, ProjectError
from convexpy.values._ids import decode_id
from convexpy.values._json import to_json
from convexpy.values._normalize import normalize
from convexpy.values._show import show
from convexpy.values._types import Int64

TableNumbers: TypeAlias = Callable[[str], int | None]
"""Gives the number of a table by name, None if there is no such table (yet)."""
Fits: TypeAlias = Callable[[Any, "TableNumbers | None"], bool]
Convert: TypeAlias = Callable[[Any], Any]


class Validator:
    """Describes a value. Immutable; not generic: types come from annotations and from generated code."""

    __slots__ = ("convert", "fits", "parts", "sure_types")

    fits: Fits
    convert: Convert | None
    sure_types: frozenset[type]
    """Types of which every canonical value fits: saves an object the call of `fits`."""
    parts: tuple[Validator, ...]
    """The validators that this one is made of."""
    is_optional: ClassVar[bool] = False
    """Whether a field with this validator may be absent."""

    def _set(
        self,
        fits: Fits,
        convert: Convert | None = None,
        sure_types: frozenset[type] = frozenset(),
        parts: tuple[Validator, ...] = (),
    ) -> None:
        object.__setattr__(self, "fits", fits)
        object.__setattr__(self, "convert", convert)
        object.__setattr__(self, "sure_types", sure_types)
        object.__setattr__(self, "parts", parts)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError("a validator cannot be changed")

    def check(self, value: Any, /) -> None:
        """Raise `ArgumentError`, with the path, if the value does not fit."""
        self.validate(normalize(value))

    def validate(self, value: Any, path: str = "", tables: TableNumbers | None = None) -> None:
        """Raise `ArgumentError` if the canonical value does not fit.

        `path` is put before the place that the message names. Without `tables`, any well-formed id fits.
        """
        if not self.fits(value, tables):
            raise ArgumentError(self.violation(value, path, tables) or self._mismatch(value, path))

    def converting(self, convert: Convert | None) -> Validator:
        """Return the same validator with another conversion of what fits."""
        made = object.__new__(type(self))
        for name in (name for part in type(self).__mro__ for name in getattr(part, "__slots__", ())):
            object.__setattr__(made, name, getattr(self, name))
        object.__setattr__(made, "convert", convert)
        return made

    def violation(self, value: Any, path: str, tables: TableNumbers | None) -> str | None:
        """Return where and why the value does not fit, or None if it does."""
        return None if self.fits(value, tables) else self._mismatch(value, path)

    def describe(self) -> dict[str, Any]:
        """Return the official JSON, with additions for code generators (`int`, `name`, `default` …)."""
        raise NotImplementedError

    def export(self) -> dict[str, Any]:
        """Return the official JSON of the validator."""
        return official_json(self.describe())

    def _mismatch(self, value: Any, path: str) -> str:
        where = f"Path: {path}\n" if path else ""
        return f"Value does not match validator.\n{where}Value: {show(value)}\nValidator: {self!r}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Validator) and without_names(self.describe()) == without_names(
            other.describe()
        )

    def __hash__(self) -> int:
        return hash(repr(self))


Validators: TypeAlias = Mapping[str, Validator]


def official_json(described: Mapping[str, Any]) -> dict[str, Any]:
    """Return the description of a validator without what only convexpy says of it."""
    kind, value = described["type"], described.get("value")
    plain = {
        name: item for name, item in described.items() if name not in ("int", "name", "module", "default")
    }
    if kind == "object":
        plain["value"] = {name: _official_field(field) for name, field in described["value"].items()}
    elif kind == "array":
        plain["value"] = official_json(described["value"])
    elif kind == "union" and isinstance(value, list):
        plain["value"] = [official_json(member) for member in described["value"]]
    elif kind == "record":
        plain["keys"] = official_json(described["keys"])
        plain["values"] = _official_field(described["values"])
    return plain


def _official_field(described: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "fieldType": official_json(described["fieldType"]),
        "optional": bool(described.get("optional")),
    }


def without_names(described: Any) -> Any:
    """Return a description without the names of classes: they make no difference to what fits."""
    if isinstance(described, list):
        return [without_names(each) for each in described]
    if not isinstance(described, dict):
        return described
    left_out = ("name", "module") if described.get("type") == "object" else ()
    return {name: without_names(each) for name, each in described.items() if name not in left_out}


def member(validator: object, place: str, *, optional: bool = False) -> Validator:
    """Return what was given as part of another validator, if it may stand there.

    Raises:
        ProjectError: it is not a validator, or optional where something must be present.
    """
    if not isinstance(validator, Validator):
        raise ProjectError(f"{place} must be a validator such as v.string(), not {validator!r}")
    if validator.is_optional and not optional:
        raise ProjectError(f"{place} cannot be optional: only fields of objects and arguments can be absent")
    return validator


def _is_number(value: Any, tables: TableNumbers | None) -> bool:
    kind = type(value)
    return kind is int or kind is float


def _is_whole(value: Any, tables: TableNumbers | None) -> bool:
    kind = type(value)
    return kind is int or (kind is float and value.is_integer())


def _exactly(kind: type) -> Fits:
    return lambda value, tables: type(value) is kind


_SCALARS: Final[dict[str, tuple[str, Fits, tuple[type, ...]]]] = {
    "string": ("string", _exactly(str), (str,)),
    "number": ("number", _is_number, (int, float)),
    "int": ("number", _is_whole, (int,)),
    "int64": ("bigint", _exactly(Int64), (Int64,)),
    "boolean": ("boolean", _exactly(bool), (bool,)),
    "null": ("null", _exactly(type(None)), (type(None),)),
    "bytes": ("bytes", _exactly(bytes), (bytes,)),
    "any": ("any", lambda value, tables: True, (type(None), bool, int, float, str, bytes, Int64, list, dict)),
}
"""By kind: the official name, the check, and the types that need none."""


class ScalarValidator(Validator):
    """A value without parts, or any value: `string number int int64 boolean null bytes any`."""

    __slots__ = ("kind",)

    kind: str

    def __init__(self, kind: str) -> None:
        object.__setattr__(self, "kind", kind)
        _, fits, sure_types = _SCALARS[kind]
        self._set(fits, sure_types=frozenset(sure_types))

    def describe(self) -> dict[str, Any]:
        """Return `{"type": …}`, with `"int": true` for whole numbers."""
        kind = _SCALARS[self.kind][0]
        return {"type": kind, "int": True} if self.kind == "int" else {"type": kind}

    def __repr__(self) -> str:
        return f"v.{self.kind}()"


ANY: Final = ScalarValidator("any")


class IdValidator(Validator):
    """The id of a document of one table; whether the document exists is not checked."""

    __slots__ = ("table",)

    table: str

    def __init__(self, table: str) -> None:
        if type(table) is not str or not table:
            raise ProjectError(f"v.id takes the name of a table, not {table!r}")
        object.__setattr__(self, "table", table)

        def fits(value: Any, tables: TableNumbers | None) -> bool:
            found = decode_id(value) if type(value) is str else None
            return found is not None and (tables is None or tables(table) == found[0])

        self._set(fits)

    def violation(self, value: Any, path: str, tables: TableNumbers | None) -> str | None:
        """Tell an id of another table from what is not a valid id."""
        if self.fits(value, tables):
            return None
        if type(value) is not str or decode_id(value) is None:
            return self._mismatch(value, path)
        where = f"\nPath: {path}" if path else ""
        return (
            f'Found ID "{value}" from another table, which does not match the table name in '
            f"validator `{self!r}`.{where}"
        )

    def describe(self) -> dict[str, Any]:
        """Return the type and the table."""
        return {"type": "id", "tableName": self.table}

    def __repr__(self) -> str:
        return f'v.id("{self.table}")'


class LiteralValidator(Validator):
    """One value. Compared by type too: `True`, `1` and `Int64(1)` differ."""

    __slots__ = ("value",)

    value: str | float | bool | Int64

    def __init__(self, value: str | float | bool | Int64) -> None:
        plain = normalize(value)
        if type(plain) not in (str, int, float, bool, Int64):
            raise ProjectError(f"a literal is a string, a number, a boolean or an Int64, not {value!r}")
        object.__setattr__(self, "value", plain)
        kind = type(plain)
        self._set(lambda value, tables: type(value) is kind and value == plain)

    def describe(self) -> dict[str, Any]:
        """Return the type and the value as on the wire."""
        return {"type": "literal", "value": to_json(self.value)}

    def __repr__(self) -> str:
        return f"v.literal({show(self.value)})"
