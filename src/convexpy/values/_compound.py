"""Validators with parts: arrays, records, unions, objects, and fields that may be absent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, overload

from convexpy.errors import ProjectError
from convexpy.values._rules import Fault, check_name
from convexpy.values._show import show, show_name
from convexpy.values._types import Int64
from convexpy.values._validator import (
    Convert,
    Fits,
    IdValidator,
    LiteralValidator,
    ScalarValidator,
    TableNumbers,
    Validator,
    Validators,
    member,
)


class ArrayValidator(Validator):
    """A list of items of one kind."""

    __slots__ = ("items",)

    items: Validator

    def __init__(self, items: Validator) -> None:
        object.__setattr__(self, "items", member(items, "the items of v.array"))
        item_fits, sure = items.fits, items.sure_types

        def fits(value: Any, tables: TableNumbers | None) -> bool:
            if type(value) is not list:
                return False
            for item in value:  # noqa: SIM110 - a loop is twice as fast as all() here
                if type(item) not in sure and not item_fits(item, tables):
                    return False
            return True

        item_convert = items.convert
        self._set(
            fits, item_convert and (lambda value: [item_convert(item) for item in value]), parts=(items,)
        )

    def violation(self, value: Any, path: str, tables: TableNumbers | None) -> str | None:
        """Name the first item that does not fit."""
        if type(value) is not list:
            return self._mismatch(value, path)
        texts = (self.items.violation(item, f"{path}[{at}]", tables) for at, item in enumerate(value))
        return next(filter(None, texts), None)

    def describe(self) -> dict[str, Any]:
        """Return the type and the description of items."""
        return {"type": "array", "value": self.items.describe()}

    def __repr__(self) -> str:
        return f"v.array({self.items!r})"


class RecordValidator(Validator):
    """An object with keys that are data, and values of one kind."""

    __slots__ = ("keys", "values")

    keys: Validator
    values: Validator

    def __init__(self, keys: Validator, values: Validator) -> None:
        object.__setattr__(self, "keys", member(keys, "the keys of v.record"))
        object.__setattr__(self, "values", member(values, "the values of v.record"))
        if not _may_be_key(keys):
            raise ProjectError(f"the keys of v.record must be strings or ids, not {keys!r}")
        key_fits = None if keys == ScalarValidator("string") else keys.fits
        value_fits = values.fits

        def fits(value: Any, tables: TableNumbers | None) -> bool:
            if type(value) is not dict:
                return False
            if key_fits is not None and not all(key_fits(name, tables) for name in value):
                return False
            return all(value_fits(item, tables) for item in value.values())

        convert = values.convert
        self._set(
            fits,
            convert and (lambda value: {name: convert(item) for name, item in value.items()}),
            parts=(keys, values),
        )

    def violation(self, value: Any, path: str, tables: TableNumbers | None) -> str | None:
        """Name the first key or value that does not fit."""
        if type(value) is not dict:
            return self._mismatch(value, path)
        for name, item in value.items():
            text = self.keys.violation(name, path, tables) or self.values.violation(
                item, f"{path}.{name}", tables
            )
            if text is not None:
                return text
        return None

    def describe(self) -> dict[str, Any]:
        """Return the type and the description of values."""
        values = {"fieldType": self.values.describe(), "optional": False}
        return {"type": "record", "keys": self.keys.describe(), "values": values}

    def __repr__(self) -> str:
        return f"v.record({self.keys!r}, {self.values!r})"


def _may_be_key(keys: Validator) -> bool:
    if isinstance(keys, UnionValidator):
        return all(map(_may_be_key, keys.members))
    return isinstance(keys, IdValidator) or (isinstance(keys, ScalarValidator) and keys.kind == "string")


class UnionValidator(Validator):
    """One of several; the first that fits decides about conversion."""

    __slots__ = ("members",)

    members: tuple[Validator, ...]

    def __init__(self, members: tuple[Validator, ...]) -> None:
        object.__setattr__(self, "members", tuple(member(each, "a member of v.union") for each in members))
        literals = [each.value for each in members if isinstance(each, LiteralValidator)]
        if len(literals) == len(members):
            known = frozenset((type(value), value) for value in literals)
            scalars = (str, int, float, bool, Int64)
            self._set(lambda value, tables: type(value) in scalars and (type(value), value) in known)
            return
        checks = tuple(each.fits for each in members)

        def fits(value: Any, tables: TableNumbers | None) -> bool:
            for check in checks:  # noqa: SIM110 - a loop is twice as fast as any() here
                if check(value, tables):
                    return True
            return False

        self._set(fits, self._convert if any(each.convert for each in members) else None, parts=members)

    def _convert(self, value: Any) -> Any:
        for each in self.members:
            if each.fits(value, None):
                return each.convert(value) if each.convert else value
        return value

    def describe(self) -> dict[str, Any]:
        """Return the type and the descriptions of the members."""
        return {"type": "union", "value": [each.describe() for each in self.members]}

    def __repr__(self) -> str:
        return f"v.union({', '.join(map(repr, self.members))})"


class OptionalValidator(Validator):
    """A field that may be absent. `has_default` says that the reader puts a value in its place."""

    __slots__ = ("has_default", "inner")

    inner: Validator
    has_default: bool
    is_optional = True

    def __init__(self, inner: Validator, *, has_default: bool = False) -> None:
        inner = member(inner, "what v.optional wraps", optional=True)
        if isinstance(inner, OptionalValidator):
            inner = inner.inner
        object.__setattr__(self, "inner", inner)
        object.__setattr__(self, "has_default", has_default)
        self._set(inner.fits, inner.convert, inner.sure_types, (inner,))

    def violation(self, value: Any, path: str, tables: TableNumbers | None) -> str | None:
        """Say what the wrapped validator says."""
        return self.inner.violation(value, path, tables)

    def describe(self) -> dict[str, Any]:
        """Return the wrapped validator's."""
        return self.inner.describe()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, OptionalValidator):
            return False
        return self.inner == other.inner and self.has_default == other.has_default

    def __hash__(self) -> int:
        return hash(self.inner)

    def __repr__(self) -> str:
        return f"v.optional({self.inner!r})"


class ObjectValidator(Validator):
    """An object with known fields. `name` and `module` are those of the class it was made from, if any."""

    __slots__ = ("_fields", "module", "name")

    _fields: dict[str, Validator]
    name: str | None
    module: str | None

    def __init__(
        self,
        fields: Validators,
        *,
        name: str | None = None,
        module: str | None = None,
        convert: Convert | None = None,
    ) -> None:
        object.__setattr__(self, "_fields", _checked_fields(fields))
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "module", module)
        self._set(
            _object_fits(self._fields),
            convert or _object_convert(self._fields),
            parts=tuple(self._fields.values()),
        )

    @property
    def fields(self) -> Mapping[str, Validator]:
        """The validators of the fields, by name."""
        return dict(self._fields)

    def pick(self, *names: str) -> ObjectValidator:
        """Return an object with these fields only."""
        self._known(names)
        return ObjectValidator({name: self._fields[name] for name in names})

    def omit(self, *names: str) -> ObjectValidator:
        """Return an object without these fields."""
        self._known(names)
        return ObjectValidator({name: each for name, each in self._fields.items() if name not in names})

    @overload
    def extend(self, fields: Mapping[str, Validator], /) -> ObjectValidator: ...
    @overload
    def extend(self, **fields: Validator) -> ObjectValidator: ...
    def extend(self, *given: Mapping[str, Validator], **fields: Validator) -> ObjectValidator:
        """Return an object with further fields; one that exists is replaced."""
        return ObjectValidator({**self._fields, **one_mapping("extend", given, fields)})

    def partial(self) -> ObjectValidator:
        """Return an object with the same fields, every one optional."""
        return ObjectValidator({name: OptionalValidator(each) for name, each in self._fields.items()})

    def violation(self, value: Any, path: str, tables: TableNumbers | None) -> str | None:
        """Name the first field that is missing, wrong or too many."""
        if type(value) is not dict:
            return self._mismatch(value, path)
        for name, each in self._fields.items():
            if name in value:
                text = each.violation(value[name], f"{path}.{name}", tables)
                if text is not None:
                    return text
            elif not each.is_optional:
                return self._faulty(
                    f"Object is missing the required field `{name}`. "
                    "Consider wrapping the field validator in `v.optional(...)` if this is expected.",
                    value,
                    path,
                )
        for name in value:
            if name not in self._fields:
                text = f"Object contains extra field `{name}` that is not in the validator."
                return self._faulty(text, value, path)
        return None

    def describe(self) -> dict[str, Any]:
        """Return the fields, with `default` on fields that get one, and the class's `name` and `module`."""
        fields: dict[str, Any] = {}
        for name, each in self._fields.items():
            fields[name] = {"fieldType": each.describe(), "optional": each.is_optional}
            if isinstance(each, OptionalValidator) and each.has_default:
                fields[name]["default"] = True
        described: dict[str, Any] = {"type": "object", "value": fields}
        if self.name is not None:
            described |= {"name": self.name, "module": self.module}
        return described

    def _faulty(self, text: str, value: dict[str, Any], path: str) -> str:
        where = f"Path: {path}\n" if path else ""
        return f"{text}\n\n{where}Object: {show(value)}\nValidator: {self!r}"

    def _known(self, names: tuple[str, ...]) -> None:
        unknown = [name for name in names if name not in self._fields]
        if unknown:
            raise ProjectError(f"no field {unknown[0]!r} in {self!r}")

    def __repr__(self) -> str:
        fields = (f"{show_name(name)}: {each!r}" for name, each in self._fields.items())
        return f"v.object({{{', '.join(fields)}}})"


def one_mapping(what: str, given: tuple[Mapping[str, Any], ...], named: dict[str, Any]) -> dict[str, Any]:
    """Return what was passed either as one mapping or as keywords.

    Raises:
        TypeError: both forms at once, or several mappings.
    """
    if len(given) > 1 or (given and named):
        raise TypeError(f"{what} takes one mapping or keywords, not both")
    if not given:
        return named
    try:
        return dict(given[0])
    except (TypeError, ValueError):
        raise TypeError(f"{what} takes a mapping from names, not {given[0]!r}") from None


def _checked_fields(fields: Validators) -> dict[str, Validator]:
    checked: dict[str, Validator] = {}
    for name, each in fields.items():
        try:
            checked[check_name(name)] = member(each, f"the field {name!r}", optional=True)
        except Fault as fault:
            raise ProjectError(fault.describe(repr(name))) from None
    return checked


def _object_fits(fields: dict[str, Validator]) -> Fits:
    checks = {name: (each.sure_types, each.fits) for name, each in fields.items()}
    required = frozenset(name for name, each in fields.items() if not each.is_optional)

    def fits(value: Any, tables: TableNumbers | None) -> bool:
        if type(value) is not dict:
            return False
        for name, item in value.items():
            check = checks.get(name)
            if check is None or (type(item) not in check[0] and not check[1](item, tables)):
                return False
        return len(value) == len(checks) or value.keys() >= required

    return fits


def _object_convert(fields: dict[str, Validator]) -> Convert | None:
    converts = [(name, each.convert) for name, each in fields.items() if each.convert is not None]
    if not converts:
        return None

    def convert(value: dict[str, Any]) -> dict[str, Any]:
        converted = dict(value)
        for name, change in converts:
            if name in converted:
                converted[name] = change(converted[name])
        return converted

    return convert
