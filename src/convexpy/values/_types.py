"""The types of values that Python lacks, ids of system tables, and time."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Final, NewType, Protocol, TypeAlias

from convexpy.errors import ArgumentError

SAFE_INTEGER: Final = 2**53
"""Whole numbers up to here, of either sign, are exact as float64."""
INT64_MIN: Final = -(2**63)
INT64_MAX: Final = 2**63 - 1


class _Unset:
    """The class of `UNSET`; it has one instance, which survives copying and pickling."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "UNSET"

    def __bool__(self) -> bool:
        return False

    def __reduce__(self) -> str:
        return "UNSET"


UNSET: Any = _Unset()
"""Convex's undefined. Typed `Any`, so that it may stand for the value of any field and be any default."""


class Int64(int):
    """A 64-bit integer (a bigint in JavaScript); a plain `int` is a number.

    Arithmetic gives plain ints: wrap the result again.

    Raises:
        ArgumentError: the number needs more than 64 bits.
    """

    __slots__ = ()

    def __new__(cls, value: int | str = 0, /) -> Int64:
        """Make the integer, checking its range."""
        made = super().__new__(cls, value)
        if not INT64_MIN <= made <= INT64_MAX:
            raise ArgumentError(f"{int(made)} does not fit into 64 bits")
        return made

    def __repr__(self) -> str:
        return f"Int64({int(self)})"

    def __str__(self) -> str:
        return int.__repr__(self)


StorageId = NewType("StorageId", str)
"""Id of a stored file, table `_storage`."""
ScheduledFunctionId = NewType("ScheduledFunctionId", str)
"""Id of a scheduled job, table `_scheduled_functions`."""

ID_TABLES: dict[str, str] = {"StorageId": "_storage", "ScheduledFunctionId": "_scheduled_functions"}
"""Which table the ids declared in this module are of; generated modules have a mapping of the same name."""

Document: TypeAlias = dict[str, Any]
"""A document of a table that the type checker does not know."""
ConvexObject: TypeAlias = dict[str, Any]
"""An object of Convex values that an app or an official tool defines, such as arguments; keys are field names."""

Duration: TypeAlias = float | timedelta
"""A bare number is milliseconds."""
Moment: TypeAlias = float | datetime
"""A bare number is milliseconds since the epoch; a `datetime` must be aware."""


class _Dataclass(Protocol):
    __dataclass_fields__: ClassVar[dict[str, Any]]


class _Struct(Protocol):
    __struct_fields__: ClassVar[tuple[str, ...]]


class _Model(Protocol):
    __pydantic_fields__: ClassVar[dict[str, Any]]


ModelInstance: TypeAlias = _Dataclass | _Struct | _Model
"""An instance of a dataclass, a `msgspec.Struct` or a pydantic model: stands for an object."""
ObjectValue: TypeAlias = Mapping[str, Any] | ModelInstance
"""Whatever is accepted where Convex has an object."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def to_ms(moment: datetime, /) -> float:
    """Return milliseconds since the epoch, with a fraction for microseconds; the datetime must be aware."""
    if moment.tzinfo is None:
        raise ArgumentError(f"{moment!r} has no time zone: use datetime.now(timezone.utc) or .astimezone()")
    return (moment - _EPOCH) / _MILLISECOND


def from_ms(milliseconds: float, /) -> datetime:
    """Return an aware datetime in UTC, rounded to microseconds."""
    return _EPOCH + timedelta(milliseconds=milliseconds)


def moment_ms(moment: Moment, /) -> float:
    """Return milliseconds since the epoch of a number (which is that already) or an aware datetime."""
    if isinstance(moment, datetime):
        return to_ms(moment)
    return _finite(moment, "a moment is milliseconds since the epoch or an aware datetime")


def span_ms(duration: Duration, /) -> float:
    """Return the milliseconds of a number (which is that already) or a timedelta."""
    if isinstance(duration, timedelta):
        return duration / _MILLISECOND
    return _finite(duration, "a duration is milliseconds or a timedelta")


def _finite(number: Any, rule: str) -> float:
    if isinstance(number, bool) or not isinstance(number, int | float) or number - number != 0:
        raise ArgumentError(f"{rule}, not {number!r}")
    return number
