"""Decorators, and the functions that they make."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any, Concatenate, Generic, TypeAlias, overload

from typing_extensions import ParamSpec, TypeVar

from convexpy.errors import ProjectError, caller_location
from convexpy.functions._context import ActionCtx, MutationCtx, QueryCtx, SyncActionCtx
from convexpy.functions._definition import FunctionDefinition, is_coroutine_function
from convexpy.functions._references import (
    ActionReference,
    FunctionReference,
    MutationReference,
    QueryReference,
)
from convexpy.functions._registry import current_module, note
from convexpy.protocol.app_description import FunctionKind, Visibility
from convexpy.values import Duration, ObjectValidator, Validator, Validators, span_ms

P = ParamSpec("P")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)
C_co = TypeVar("C_co", covariant=True)
A_co = TypeVar("A_co", covariant=True)
S_co = TypeVar("S_co", covariant=True)

_Args: TypeAlias = Validators | ObjectValidator

Change: TypeAlias = Callable[[Any], Mapping[str, Any] | Awaitable[Mapping[str, Any]]]
"""Returns the fields of ctx that are replaced, by name."""


class QueryFunction(QueryReference[P, R_co]):
    """A query. Called with a ctx it runs as plain Python, in the same transaction and unchecked."""

    def __call__(self, ctx: QueryCtx, /, *args: P.args, **kwargs: P.kwargs) -> R_co:
        """Run the query's code with this ctx."""
        result: R_co = self.definition.run(ctx, *args, **kwargs)
        return result


class MutationFunction(MutationReference[P, R_co]):
    """A mutation. Called with a ctx it runs as plain Python, in the same transaction and unchecked."""

    def __call__(self, ctx: MutationCtx, /, *args: P.args, **kwargs: P.kwargs) -> R_co:
        """Run the mutation's code with this ctx."""
        result: R_co = self.definition.run(ctx, *args, **kwargs)
        return result


class ActionFunction(ActionReference[P, R_co]):
    """An `async def` action."""

    def __call__(self, ctx: ActionCtx, /, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, R_co]:
        """Run the action's code with this ctx."""
        result: Coroutine[Any, Any, R_co] = self.definition.run(ctx, *args, **kwargs)
        return result


class SyncActionFunction(ActionReference[P, R_co]):
    """A plain `def` action."""

    def __call__(self, ctx: SyncActionCtx, /, *args: P.args, **kwargs: P.kwargs) -> R_co:
        """Run the action's code with this ctx."""
        result: R_co = self.definition.run(ctx, *args, **kwargs)
        return result


class _Decorator:
    """What all decorators share: the kind, who may call, and changes of ctx before the handler gets it."""

    kind: FunctionKind
    plain: type[FunctionReference[..., Any]]
    coroutine: type[FunctionReference[..., Any]]

    def __init__(self, visibility: Visibility, changes: tuple[Change, ...] = ()) -> None:
        self._visibility: Visibility = visibility
        self._changes = changes

    def changed(self, change: Change) -> Any:
        """Return a decorator of the same kind whose functions get a ctx with fields replaced."""
        return type(self)(self._visibility, (*self._changes, change))

    def _register(
        self,
        function: Any,
        args: _Args | None,
        returns: Validator | None,
        name: str | None,
        timeout: Duration | None = None,
    ) -> Any:
        if function is None:
            return functools.partial(self._register, args=args, returns=returns, name=name, timeout=timeout)
        _check(function, returns, name)
        definition = FunctionDefinition(
            kind=self.kind,
            visibility=self._visibility,
            handler=function,
            run=_runner(function, self._changes),
            args=args,
            returns=returns,
            name=name,
            timeout_s=None if timeout is None else span_ms(timeout) / 1000,
            module=current_module(),
        )
        note(definition)
        made: Any = (self.coroutine if definition.is_async else self.plain)(function)
        functools.update_wrapper(made, function)
        made.definition = definition
        return made


class QueryDecorator(_Decorator, Generic[C_co]):
    """Registers queries that get the ctx `C_co`; bare, or with options."""

    kind: FunctionKind = "query"
    plain: type[FunctionReference[..., Any]] = QueryFunction
    coroutine: type[FunctionReference[..., Any]] = QueryFunction

    @overload
    def __call__(self, function: Callable[Concatenate[C_co, P], R], /) -> QueryFunction[P, R]: ...
    @overload
    def __call__(
        self, /, *, args: _Args | None = ..., returns: Validator | None = ..., name: str | None = ...
    ) -> Callable[[Callable[Concatenate[C_co, P], R]], QueryFunction[P, R]]: ...
    def __call__(
        self,
        function: Any = None,
        /,
        *,
        args: _Args | None = None,
        returns: Validator | None = None,
        name: str | None = None,
    ) -> Any:
        """Register a query."""
        return self._register(function, args, returns, name)


class MutationDecorator(_Decorator, Generic[C_co]):
    """Registers mutations that get the ctx `C_co`; bare, or with options."""

    kind: FunctionKind = "mutation"
    plain: type[FunctionReference[..., Any]] = MutationFunction
    coroutine: type[FunctionReference[..., Any]] = MutationFunction

    @overload
    def __call__(self, function: Callable[Concatenate[C_co, P], R], /) -> MutationFunction[P, R]: ...
    @overload
    def __call__(
        self, /, *, args: _Args | None = ..., returns: Validator | None = ..., name: str | None = ...
    ) -> Callable[[Callable[Concatenate[C_co, P], R]], MutationFunction[P, R]]: ...
    def __call__(
        self,
        function: Any = None,
        /,
        *,
        args: _Args | None = None,
        returns: Validator | None = None,
        name: str | None = None,
    ) -> Any:
        """Register a mutation."""
        return self._register(function, args, returns, name)


class _ActionWrapper(Generic[A_co, S_co]):
    """An action decorator with its options."""

    def __init__(self, register: Callable[[Any], Any]) -> None:
        self._register = register

    @overload
    def __call__(  # type: ignore[overload-overlap]  # a coroutine is a result too: the first that fits is meant
        self, function: Callable[Concatenate[A_co, P], Coroutine[Any, Any, R]], /
    ) -> ActionFunction[P, R]: ...
    @overload
    def __call__(self, function: Callable[Concatenate[S_co, P], R], /) -> SyncActionFunction[P, R]: ...
    def __call__(self, function: Any, /) -> Any:
        """Register an action."""
        return self._register(function)


class ActionDecorator(_Decorator, Generic[A_co, S_co]):
    """Registers actions. `A_co` is the ctx of `async def` actions, `S_co` that of plain `def`."""

    kind: FunctionKind = "action"
    plain: type[FunctionReference[..., Any]] = SyncActionFunction
    coroutine: type[FunctionReference[..., Any]] = ActionFunction

    @overload
    def __call__(  # type: ignore[overload-overlap]  # a coroutine is a result too: the first that fits is meant
        self, function: Callable[Concatenate[A_co, P], Coroutine[Any, Any, R]], /
    ) -> ActionFunction[P, R]: ...
    @overload
    def __call__(self, function: Callable[Concatenate[S_co, P], R], /) -> SyncActionFunction[P, R]: ...
    @overload
    def __call__(
        self,
        /,
        *,
        args: _Args | None = ...,
        returns: Validator | None = ...,
        name: str | None = ...,
        timeout: Duration | None = ...,
    ) -> _ActionWrapper[A_co, S_co]: ...
    def __call__(
        self,
        function: Any = None,
        /,
        *,
        args: _Args | None = None,
        returns: Validator | None = None,
        name: str | None = None,
        timeout: Duration | None = None,
    ) -> Any:
        """Register an action; `timeout` bounds its run, a bare number is milliseconds."""
        made = self._register(function, args, returns, name, timeout)
        return made if function is not None else _ActionWrapper[A_co, S_co](made)


def _check(function: Any, returns: object, name: str | None) -> None:
    if isinstance(function, FunctionReference) or not callable(function) or isinstance(function, type):
        raise ProjectError(f"a decorator takes a function, not {function!r}", location=caller_location())
    if returns is not None and not isinstance(returns, Validator):
        raise ProjectError(f"returns= takes a validator, not {returns!r}", location=caller_location())
    if name is not None and not (str(name).isidentifier() and str(name).isascii()):
        raise ProjectError(f"{name!r} cannot be the name of a function", location=caller_location())


def _runner(handler: Callable[..., Any], changes: tuple[Change, ...]) -> Callable[..., Any]:
    """Return the handler, behind the changes of ctx if there are any."""
    if not changes:
        return handler
    if is_coroutine_function(handler):

        async def run_async(ctx: Any, /, *args: Any, **kwargs: Any) -> Any:
            for change in changes:
                fields = change(ctx)
                ctx = ctx._replace(**(await fields if inspect.isawaitable(fields) else fields))
            return await handler(ctx, *args, **kwargs)

        return run_async

    def run(ctx: Any, /, *args: Any, **kwargs: Any) -> Any:
        for change in changes:
            fields = change(ctx)
            if inspect.iscoroutine(fields):
                fields.close()
            if not isinstance(fields, Mapping):
                raise ProjectError(
                    "custom_ctx needs a plain def that returns a mapping where nothing is awaited"
                )
            ctx = ctx._replace(**fields)
        return handler(ctx, *args, **kwargs)

    return run


query: QueryDecorator[QueryCtx] = QueryDecorator("public")
"""Registers a public query."""
internal_query: QueryDecorator[QueryCtx] = QueryDecorator("internal")
"""Registers a query that only functions and tools can call."""
mutation: MutationDecorator[MutationCtx] = MutationDecorator("public")
"""Registers a public mutation."""
internal_mutation: MutationDecorator[MutationCtx] = MutationDecorator("internal")
"""Registers a mutation that only functions and tools can call."""
action: ActionDecorator[ActionCtx, SyncActionCtx] = ActionDecorator("public")
"""Registers a public action."""
internal_action: ActionDecorator[ActionCtx, SyncActionCtx] = ActionDecorator("internal")
"""Registers an action that only functions and tools can call."""
