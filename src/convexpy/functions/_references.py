"""References: what may be called, by function object, by `api` and `internal`, or by name.

Paths are `"messages:send"` and `"sessions/queries:get"`; a path without a colon means the function
`default`, and a `.js` behind the module, which some clients send, is dropped.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeAlias

from typing_extensions import ParamSpec, TypeVar

from convexpy.errors import ArgumentError, ProjectError
from convexpy.functions._limits import TransactionLimits
from convexpy.values import normalize

if TYPE_CHECKING:
    from convexpy.functions._definition import FunctionDefinition


P = ParamSpec("P")
R_co = TypeVar("R_co", covariant=True)

_module = re.compile(r"(?!.*\.\.)(?=.*[A-Za-z0-9])[A-Za-z0-9_.]{1,64}").fullmatch
_function = re.compile(r"[A-Za-z_][A-Za-z0-9_]*").fullmatch


class FunctionReference(Generic[P, R_co]):
    """Any function of a deployment: its arguments (without ctx) and its result.

    As a decorator it makes a reference from a signature: this is how the generated `api.pyi` is written.
    """

    definition: Any = None  # a FunctionDefinition once it is a function of this app

    def __init__(self, signature: Callable[P, R_co], /) -> None:
        self._signature = signature


class QueryReference(FunctionReference[P, R_co]):
    """A query."""


class SchedulableReference(FunctionReference[P, R_co]):
    """A mutation or an action."""


class MutationReference(SchedulableReference[P, R_co]):
    """A mutation."""


class ActionReference(SchedulableReference[P, R_co]):
    """An action."""


class AnyReference:
    """A path in the untyped `api` and `internal`: may be a folder, a module or a function."""

    __slots__ = ("_parts", "_root")

    def __init__(self, root: str, parts: tuple[str, ...] = ()) -> None:
        self._root = root
        self._parts = parts

    def __getattr__(self, name: str, /) -> AnyReference:
        # Python and its tools ask any object for such names, and must hear that there is none.
        if name.startswith("__"):
            raise AttributeError(name)
        return AnyReference(self._root, (*self._parts, name))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AnyReference) and self._parts == other._parts

    def __hash__(self) -> int:
        return hash(self._parts)

    def __repr__(self) -> str:
        return ".".join((self._root, *self._parts))

    if not TYPE_CHECKING:  # for checkers it cannot be called at all

        def __call__(self, *args: object, **kwargs: object) -> Any:
            raise TypeError(f"{self!r} is a reference: pass it to ctx.run_query, ctx.run_mutation …")

    def _path(self) -> str:
        if not self._parts:
            raise ArgumentError(f"{self!r} is not a function: name one, e.g. {self._root}.messages.send")
        if len(self._parts) == 1:
            return f"{self._parts[0]}:default"
        return f"{'/'.join(self._parts[:-1])}:{self._parts[-1]}"


api: AnyReference = AnyReference("api")
"""The public functions of the app, by path. The generated `api` has types."""
internal: AnyReference = AnyReference("internal")
"""The internal functions of the app, by path. The generated `internal` has types."""

Untyped: TypeAlias = str | AnyReference
"""A reference without types: `"sessions:save"`, or a path of the untyped `api`."""


def canonical_path(text: str) -> str:
    """Return the one form of a function path: `module:function`.

    Raises:
        ArgumentError: it is not a path.
    """
    module, colon, function = text.rpartition(":")
    if not colon:
        module, function = text, "default"
    module = module.removesuffix(".js")
    if not all(map(_module, module.split("/"))) or not _function(function):
        raise ArgumentError(f"{text!r} is not a valid function path: it looks like 'messages:send'")
    return f"{module}:{function}"


def path_of(reference: Any) -> str:
    """Return the path that a reference names: of a function object, of `api` or `internal`, or a name.

    Raises:
        ArgumentError: it names no function.
        ProjectError: a function object that is not one of the app's functions.
    """
    if isinstance(reference, str):
        return canonical_path(reference)
    if isinstance(reference, AnyReference):
        return reference._path()
    definition = definition_of(reference)
    if definition is None:
        raise ArgumentError(f"{reference!r} is not a reference to a function")
    if definition.path is None:
        raise ProjectError(
            f"{definition.name_for_messages} is not registered: no variable of a module holds it",
            location=definition.location,
        )
    return definition.path


def definition_of(reference: Any) -> FunctionDefinition | None:
    """Return what a function object stands for; None for every other reference."""
    found: FunctionDefinition | None = None
    if isinstance(reference, FunctionReference):
        found = reference.definition
    return found


class Call(NamedTuple):
    """A call as the engine takes it. `convert` makes of the plain result what the caller gets."""

    path: str
    args: dict[str, Any]
    limits: Mapping[str, int] | None
    convert: Callable[[Any], Any] | None


def call_of(reference: Any, args: Sequence[Any], kwargs: dict[str, Any], *, may_limit: bool = False) -> Call:
    """Return the call of a reference with arguments as keywords or as one mapping.

    After a mapping, and only there, `limits=` is an option (where `may_limit`); else it is an argument.

    Raises:
        TypeError: arguments in any other form; the message names the parameters.
        ArgumentError: a value is not a Convex value, or the reference names no function.
    """
    path = path_of(reference)
    definition = definition_of(reference)
    limits: dict[str, int] | None = None
    if args:
        if len(args) > 1 or not isinstance(args[0], Mapping):
            raise TypeError(_explain(path, definition))
        if may_limit and isinstance(kwargs.get("limits"), TransactionLimits):
            limits = kwargs.pop("limits").given
        elif may_limit and kwargs.get("limits", 0) is None:
            del kwargs["limits"]
        if list(kwargs) == ["limits"]:
            raise TypeError(
                "limits= takes TransactionLimits, and only where the call is part of a transaction"
            )
        if kwargs:
            raise TypeError(f"{path} was given arguments as a mapping and as keywords: use one of them")
        kwargs = dict(args[0])
    if definition is None:
        return Call(path, normalize(kwargs, path=path), limits, None)
    wire = definition.to_wire_names(kwargs)
    return Call(path, normalize(wire, path=path), limits, definition.convert_result)


def _explain(path: str, definition: FunctionDefinition | None) -> str:
    names = [] if definition is None else [each.name for each in definition.params]
    example = ", ".join(f"{name}=…" for name in names) or "name=value"
    return f"arguments of {path} are keywords ({example}) or one mapping, nothing else is positional"
