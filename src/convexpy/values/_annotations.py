"""From annotations to validators that also convert.

A class that stands for an object is read once per annotation that names it; one that contains itself is
refused, since a validator is a tree.
"""

from __future__ import annotations

import collections.abc
import dataclasses
import sys
import types
import typing
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any, Literal, NewType, Union, get_args, get_origin

import msgspec
import typing_extensions

from convexpy.errors import ArgumentError, ProjectError
from convexpy.values._builders import ArgumentName, page_of, pagination_opts, v
from convexpy.values._compound import ObjectValidator, OptionalValidator, UnionValidator
from convexpy.values._pagination import PaginationOptions, PaginationResult
from convexpy.values._types import UNSET, Int64
from convexpy.values._validator import ANY, Convert, LiteralValidator, Validator

_WRAPPERS = {
    typing.NotRequired: False,
    typing_extensions.NotRequired: False,
    typing.Required: True,
    typing_extensions.Required: True,
}
_READ_ONLY = typing_extensions.ReadOnly
_ANNOTATED = typing.Annotated
_LISTS = (list, collections.abc.Sequence, collections.abc.MutableSequence, collections.abc.Iterable)
_DICTS = (dict, collections.abc.Mapping, collections.abc.MutableMapping)
_HINTS = {
    "datetime": "use float for milliseconds, and from_ms(value)",
    "timedelta": "use float for milliseconds",
    "date": "use str",
    "Decimal": "use str or float",
    "UUID": "use str",
    "set": "use list",
    "frozenset": "use list",
}


_SCALARS: dict[Any, Callable[[], Validator]] = {
    str: v.string,
    bool: v.boolean,
    bytes: v.bytes,
    int: v.int,
    float: lambda: v.number().converting(float),
    Int64: v.int64,
    None: v.null,
    type(None): v.null,
    Any: v.any,
    object: v.any,
    typing_extensions.Any: v.any,
    list: lambda: v.array(ANY),
    tuple: lambda: v.array(ANY).converting(tuple),
    dict: lambda: v.record(v.string(), ANY),
    PaginationOptions: lambda: pagination_opts,
}


def validator_of(annotation: Any) -> Validator:
    """Return the validator that an annotation stands for; it converts into what the annotation says.

    Raises:
        ProjectError: there is no Convex type for it.
    """
    return _Reader().read(annotation)


def argument_name(annotation: Any) -> str | None:
    """Return the name given with `Annotated[T, v.arg(name)]`, if any."""
    if get_origin(annotation) is not _ANNOTATED:
        return None
    names = [each.name for each in annotation.__metadata__ if isinstance(each, ArgumentName)]
    return names[0] if names else None


def hints_of(owner: Any) -> dict[str, Any]:
    """Return the annotations of a class or function, strings evaluated.

    Raises:
        ProjectError: a name in them is not defined at run time.
    """
    try:
        return typing_extensions.get_type_hints(owner, include_extras=True)
    except NameError as error:
        raise ProjectError(
            f"{getattr(owner, '__qualname__', owner)} has an annotation "
            f"with a name that is not defined at run time: {error}",
            hint="import the name outside of `if TYPE_CHECKING:`",
        ) from error


class _Reader:
    """One reading of an annotation: remembers the classes that it is inside of."""

    def __init__(self) -> None:
        self._inside: list[Any] = []

    def read(self, annotation: Any) -> Validator:
        """Return the validator of an annotation."""
        if isinstance(annotation, Validator):
            return annotation
        try:
            scalar = _SCALARS.get(annotation)
        except TypeError:  # an annotation that cannot be hashed
            scalar = None
        if scalar is not None:
            return scalar()
        origin = get_origin(annotation)
        if origin is not None:
            return self._read_generic(annotation, origin, get_args(annotation))
        if isinstance(annotation, NewType):
            return self._read_new_type(annotation)
        if isinstance(annotation, typing.TypeVar):
            return ANY
        if isinstance(annotation, typing_extensions.TypeAliasType):
            return self.read(annotation.__value__)
        if isinstance(annotation, type) or typing_extensions.is_typeddict(annotation):
            return self._read_class(annotation)
        if isinstance(annotation, str):
            raise ProjectError(f"the annotation {annotation!r} is a string: pass the type itself")
        raise _no_type(annotation)

    def _read_generic(self, annotation: Any, origin: Any, args: tuple[Any, ...]) -> Validator:
        if origin is _ANNOTATED:
            given = [each for each in annotation.__metadata__ if isinstance(each, Validator)]
            return given[0] if given else self.read(args[0])
        if origin is Union or origin is types.UnionType:
            return self._read_union(args)
        if origin in (Literal, typing_extensions.Literal):
            return _read_literal(args)
        if origin in _LISTS:
            return v.array(self.read(args[0]))
        if origin in _DICTS:
            return v.record(self.read(args[0]), self.read(args[1]))
        if origin is tuple:
            return self._read_tuple(annotation, args)
        if origin is PaginationResult:
            return self._read_page(args[0])
        if origin in _WRAPPERS or origin is _READ_ONLY:
            return self.read(args[0])
        if isinstance(origin, typing_extensions.TypeAliasType):
            return self.read(origin.__value__[args])
        if isinstance(origin, type) or typing_extensions.is_typeddict(origin):
            return self._read_class(origin)
        raise _no_type(annotation)

    def _read_union(self, args: tuple[Any, ...]) -> Validator:
        members: list[Validator] = []
        for each in args:
            validator = self.read(each)
            # `Literal["a", "b"] | None` is one flat union.
            flat = isinstance(validator, UnionValidator) and get_origin(each) is Literal
            members.extend(
                validator.members if flat and isinstance(validator, UnionValidator) else [validator]
            )
        return UnionValidator(tuple(members))

    def _read_tuple(self, annotation: Any, args: tuple[Any, ...]) -> Validator:
        if len(args) != 2 or args[1] is not Ellipsis:
            raise ProjectError(f"{annotation} has no Convex type: use tuple[T, ...] or list[T]")
        inner = v.array(self.read(args[0]))
        convert = inner.convert
        return inner.converting(tuple if convert is None else lambda value: tuple(convert(value)))

    def _read_page(self, item: Any) -> Validator:
        validator = self.read(item)
        convert = validator.convert

        def to_page(value: dict[str, Any]) -> PaginationResult[Any]:
            page = PaginationResult[Any](**value)
            return page if convert is None else page.map(convert)

        return page_of(validator, to_page)

    def _read_new_type(self, annotation: NewType) -> Validator:
        """Read a NewType: an id if the module that declares it says of which table."""
        module = sys.modules.get(annotation.__module__ or "")
        table = getattr(module, "ID_TABLES", {}).get(annotation.__name__)
        return v.id(table) if table is not None else self.read(annotation.__supertype__)

    def _read_class(self, kind: Any) -> Validator:
        if kind is PaginationResult:
            return self._read_page(Any)
        if kind in _LISTS or kind in _DICTS:
            return v.array(ANY) if kind in _LISTS else v.record(v.string(), ANY)
        if isinstance(kind, type) and issubclass(kind, Enum):
            return _read_enum(kind)
        if (
            isinstance(kind, type)
            and not typing_extensions.is_typeddict(kind)
            and issubclass(kind, collections.abc.Mapping)
        ):
            return v.record(v.string(), ANY).converting(kind)
        if kind in self._inside:
            raise ProjectError(
                f"{kind.__qualname__} contains itself, which no validator can say: "
                "annotate that field with Any"
            )
        self._inside.append(kind)
        try:
            return self._read_object(kind)
        finally:
            self._inside.pop()

    def _read_object(self, kind: Any) -> Validator:
        if typing_extensions.is_typeddict(kind):
            fields, convert = self._typed_dict_fields(kind), None
        elif isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            fields = {
                field.encode_name: self._field(
                    field.name, field.type, required=field.required, default=field.default
                )
                for field in msgspec.structs.fields(kind)
            }
            names = {field.encode_name: field.name for field in msgspec.structs.fields(kind)}
            convert = _maker(kind, fields, names)
        elif dataclasses.is_dataclass(kind):
            hints = hints_of(kind)
            fields = {
                field.name: self._field(
                    field.name, hints[field.name], required=_has_no_default(field), default=field.default
                )
                for field in dataclasses.fields(kind)
            }
            # Fields that the class computes are part of what it stands for, but not given to it.
            computed = [field.name for field in dataclasses.fields(kind) if not field.init]
            convert = _maker(kind, fields, None, computed)
        elif hasattr(kind, "__pydantic_fields__"):
            fields = {
                name: self._field(name, field.annotation, required=field.is_required(), default=field.default)
                for name, field in kind.__pydantic_fields__.items()
            }
            convert = _maker(kind, fields, None)
        else:
            raise _no_type(kind)
        name = str(getattr(kind, "__qualname__", kind))
        return ObjectValidator(fields, name=name, module=kind.__module__, convert=convert)

    def _typed_dict_fields(self, kind: Any) -> dict[str, Validator]:
        fields: dict[str, Validator] = {}
        for name, hint in hints_of(kind).items():
            required = name in kind.__required_keys__
            while get_origin(hint) in _WRAPPERS or get_origin(hint) is _READ_ONLY:
                required = _WRAPPERS.get(get_origin(hint), required)
                (hint,) = get_args(hint)
            validator = self._field(name, hint, required=True)
            fields[name] = validator if required else OptionalValidator(validator)
        return fields

    def _field(self, name: str, hint: Any, *, required: bool, default: Any = None) -> Validator:
        try:
            validator = self.read(hint)
        except ProjectError as error:
            raise ProjectError(f"field {name!r}: {error.message}", hint=error.hint) from error
        return validator if required else OptionalValidator(validator, has_default=default is not UNSET)


def _maker(
    kind: Any, fields: dict[str, Validator], names: dict[str, str] | None, left_out: Sequence[str] = ()
) -> Convert:
    """Return a function from a plain object to an instance; `names` maps wire names to parameters."""
    converts = [(name, each.convert) for name, each in fields.items() if each.convert is not None]
    renamed = names is not None and any(wire != name for wire, name in names.items())

    def make(value: dict[str, Any]) -> Any:
        given = dict(value)
        for name, convert in converts:
            if name in given:
                given[name] = convert(given[name])
        for name in left_out:
            given.pop(name, None)
        if names is not None and renamed:
            given = {names[wire]: item for wire, item in given.items()}
        try:
            return kind(**given)
        except Exception as error:
            # The constructor is app code (or a model's own checks) and may raise anything.
            raise ArgumentError(f"{kind.__qualname__} refused its fields: {error}") from error

    return make


def _has_no_default(field: dataclasses.Field[Any]) -> bool:
    missing = dataclasses.MISSING
    return field.init and field.default is missing and field.default_factory is missing


def _read_literal(args: tuple[Any, ...]) -> Validator:
    plain = [each.value if isinstance(each, Enum) else each for each in args]
    members: list[Validator] = [v.null() if each is None else LiteralValidator(each) for each in plain]
    return members[0] if len(members) == 1 else UnionValidator(tuple(members))


def _read_enum(kind: type[Enum]) -> Validator:
    texts = [each.value for each in kind]
    if not texts or not all(isinstance(text, str) for text in texts):
        raise ProjectError(f"{kind.__qualname__} has no Convex type: only enums of strings have one")
    return v.literal(*map(str, texts)).converting(kind)


def _no_type(annotation: Any) -> ProjectError:
    name = getattr(annotation, "__name__", None) or str(annotation)
    return ProjectError(f"{name} has no Convex type", hint=_HINTS.get(name))
