"""Decorators whose functions get a changed ctx."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Generic, TypeAlias, cast, overload

from typing_extensions import TypeVar

from convexpy.functions import ActionDecorator, MutationDecorator, QueryDecorator

C = TypeVar("C")
D = TypeVar("D")
S = TypeVar("S")

_Fields: TypeAlias = Mapping[str, Any] | Awaitable[Mapping[str, Any]]


class Customization(Generic[C, D]):
    """Turns the original ctx `C` into the ctx `D` that the functions get."""

    __slots__ = ("change",)

    def __init__(self, change: Callable[[Any], _Fields]) -> None:
        self.change: Callable[[Any], _Fields] = change


@overload
def custom_ctx(change: Callable[[C], _Fields], /) -> Customization[C, C]: ...
@overload
def custom_ctx(change: Callable[[C], _Fields], /, *, ctx_type: type[D]) -> Customization[C, D]: ...
def custom_ctx(change: Callable[[Any], _Fields], /, *, ctx_type: type[Any] | None = None) -> Any:
    """`change(ctx)` returns the replaced fields; for async actions it may be `async def`.

    With added fields, `ctx_type`, a subclass of the ctx, declares them. It is never instantiated.
    """
    return Customization[Any, Any](change)


def custom_query(base: QueryDecorator[C], customization: Customization[C, D], /) -> QueryDecorator[D]:
    """Return a decorator of the same forms whose queries get the changed ctx."""
    return cast(QueryDecorator[D], base.changed(customization.change))


def custom_mutation(
    base: MutationDecorator[C], customization: Customization[C, D], /
) -> MutationDecorator[D]:
    """Return a decorator of the same forms whose mutations get the changed ctx."""
    return cast(MutationDecorator[D], base.changed(customization.change))


def custom_action(
    base: ActionDecorator[C, S], customization: Customization[C, D], /
) -> ActionDecorator[D, S]:
    """Return a decorator of the same forms whose actions get the changed ctx."""
    return cast("ActionDecorator[D, S]", base.changed(customization.change))
