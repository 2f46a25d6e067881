"""What every system call is: a Struct of its arguments that knows its path, and the type of its result.

Arguments and results are Convex values on the wire, with camel-case names. Documents of the app inside them stay what
they are there: `Document`, `ConvexObject`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, ClassVar, Generic, Literal, TypeVar, get_args

import msgspec

from convexpy.errors import ArgumentError
from convexpy.values import decode_wire, encode_wire

R_co = TypeVar("R_co", covariant=True)
Operation = Literal[
    "deploy", "env:view", "env:write", "logs:view", "data:view", "data:write", "functions:view", "functions:run",
    "keys:manage", "actAsUser", "code:run", "previews",
]  # fmt: skip
"""What the holder of an admin key may be allowed to do."""


class _CallMeta(msgspec.StructMeta):
    """Takes `path` and `operation` as keywords of a class."""

    def __new__(
        mcls, name: str, bases: Any, members: Any, *, path: str = "", operation: Any = None, **config: Any
    ) -> Any:
        call: Any = super().__new__(mcls, name, bases, members, **config)
        call.path, call.operation = path, operation
        return call


class SystemCall(msgspec.Struct, Generic[R_co], metaclass=_CallMeta, rename="camel"):
    """The arguments of one system function, which returns an `R_co`."""

    path: ClassVar[str]
    kind: ClassVar[Literal["query", "mutation"]]
    operation: ClassVar[Operation | None]
    """What a key must allow to run it; None: only the server runs it."""

    def encode(self) -> bytes:
        """Return the arguments as they are sent to an executor."""
        return encode_plain(self)

    def decode_result(self, value: bytes) -> R_co:
        """Return the result from what an executor sent."""
        return self.convert_result(decode_wire(value))

    def convert_result(self, value: Any, *, strict: bool = True) -> R_co:
        """Return the result from a decoded value; one that is not strict takes whole floats for integers."""
        result: R_co = msgspec.convert(value, _result_type(type(self)), strict=strict)
        return result


class SystemQuery(SystemCall[R_co], Generic[R_co]):
    """A system function that reads."""

    kind: ClassVar[Literal["query", "mutation"]] = "query"


class SystemMutation(SystemCall[R_co], Generic[R_co]):
    """A system function that may write, in the order of commits."""

    kind: ClassVar[Literal["query", "mutation"]] = "mutation"


@cache
def _result_type(call: type[SystemCall[Any]]) -> Any:
    return get_args(call.__orig_bases__[0])[0]  # type: ignore[attr-defined]  # of every class with a generic base


C = TypeVar("C", bound=SystemCall[Any])


def decode_call(call: type[C], args: Mapping[str, Any]) -> C:
    """Return decoded arguments as what the function takes.

    Raises:
        ArgumentError: one is missing, or of another type.
    """
    try:
        found: C = msgspec.convert(args, call)
    except msgspec.ValidationError as error:
        raise ArgumentError(f"{call.path}: {error}", code="ArgumentValidationError") from error
    return found


def encode_plain(value: Any) -> bytes:
    """Return the wire form of structs, containers of structs, and Convex values."""
    return encode_wire(_plain(value))


def _plain(value: Any) -> Any:
    """Replace structs by objects. Containers hold either structs or Convex values, which need no look at each."""
    if isinstance(value, msgspec.Struct):
        values = msgspec.structs.astuple(value)
        if value.__struct_config__.array_like:
            return [_plain(member) for member in values]
        members = zip(value.__struct_encode_fields__, values, strict=True)
        return {name: _plain(member) for name, member in members if member is not msgspec.UNSET}
    if isinstance(value, (list, tuple)):
        if value and isinstance(value[0], (msgspec.Struct, tuple)):
            return [_plain(member) for member in value]
        return value if isinstance(value, list) else list(value)
    if isinstance(value, dict) and isinstance(next(iter(value.values()), None), msgspec.Struct):
        return {name: _plain(member) for name, member in value.items()}
    return value
