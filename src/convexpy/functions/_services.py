"""`ctx.auth` and `ctx.scheduler`, in their blocking and their awaited forms."""

from __future__ import annotations

from collections.abc import Coroutine, Mapping
from typing import Any, overload

from typing_extensions import ParamSpec

from convexpy.errors import ArgumentError
from convexpy.functions._awaited import Requests
from convexpy.functions._host import CallHost
from convexpy.functions._identity import UserIdentity
from convexpy.functions._references import SchedulableReference, Untyped, call_of, definition_of
from convexpy.values import Duration, Moment, ScheduledFunctionId, moment_ms, span_ms

P = ParamSpec("P")


def _identity(claims: dict[str, Any] | None) -> UserIdentity | None:
    return None if claims is None else UserIdentity(claims)


class Auth:
    """`ctx.auth`."""

    __slots__ = ("_host",)

    def __init__(self, host: CallHost) -> None:
        self._host = host

    def get_user_identity(self) -> UserIdentity | None:
        """Return the caller, None if it has not signed in."""
        return _identity(self._host.request_blocking("identity", {}))


class AsyncAuth:
    """`ctx.auth` in `async def` actions."""

    __slots__ = ("_requests",)

    def __init__(self, requests: Requests) -> None:
        self._requests = requests

    def get_user_identity(self) -> Coroutine[Any, Any, UserIdentity | None]:
        """Return the caller, None if it has not signed in."""
        return self._requests.ask("identity", {}, _identity, label="auth.get_user_identity")


# In every call below: a typed reference with its arguments as keywords, or with one mapping (whose keys are
# checked at run time), or an untyped reference with either.


class Scheduler:
    """`ctx.scheduler`. In a mutation, scheduling is part of the transaction."""

    __slots__ = ("_host",)

    def __init__(self, host: CallHost) -> None:
        self._host = host

    @overload
    def run_after(
        self, delay: Duration, function: SchedulableReference[P, Any], /, *args: P.args, **kwargs: P.kwargs
    ) -> ScheduledFunctionId: ...
    @overload
    def run_after(
        self,
        delay: Duration,
        function: SchedulableReference[..., Any] | Untyped,
        args: Mapping[str, Any],
        /,
    ) -> ScheduledFunctionId: ...
    @overload
    def run_after(self, delay: Duration, function: Untyped, /, **args: Any) -> ScheduledFunctionId: ...
    def run_after(self, delay: Duration, function: Any, /, *args: Any, **kwargs: Any) -> ScheduledFunctionId:
        """Run a function after a delay (milliseconds or a timedelta); return the job's id."""
        return self._schedule(self._host.now_ms() + _delay(delay), function, args, kwargs)

    @overload
    def run_at(
        self, moment: Moment, function: SchedulableReference[P, Any], /, *args: P.args, **kwargs: P.kwargs
    ) -> ScheduledFunctionId: ...
    @overload
    def run_at(
        self,
        moment: Moment,
        function: SchedulableReference[..., Any] | Untyped,
        args: Mapping[str, Any],
        /,
    ) -> ScheduledFunctionId: ...
    @overload
    def run_at(self, moment: Moment, function: Untyped, /, **args: Any) -> ScheduledFunctionId: ...
    def run_at(self, moment: Moment, function: Any, /, *args: Any, **kwargs: Any) -> ScheduledFunctionId:
        """Run a function at a moment (milliseconds or an aware datetime); return the job's id."""
        return self._schedule(moment_ms(moment), function, args, kwargs)

    def cancel(self, job: ScheduledFunctionId, /) -> None:
        """Cancel a job that has not run yet."""
        self._host.request_blocking("cancel", {"id": job})

    def _schedule(
        self, at_ms: float, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> ScheduledFunctionId:
        path, plain = _call(function, args, kwargs)
        payload = {"at": at_ms, "path": path, "args": plain}
        return ScheduledFunctionId(self._host.request_blocking("schedule", payload))


class AsyncScheduler:
    """`ctx.scheduler` in `async def` actions."""

    __slots__ = ("_requests",)

    def __init__(self, requests: Requests) -> None:
        self._requests = requests

    @overload
    async def run_after(
        self, delay: Duration, function: SchedulableReference[P, Any], /, *args: P.args, **kwargs: P.kwargs
    ) -> ScheduledFunctionId: ...
    @overload
    async def run_after(
        self,
        delay: Duration,
        function: SchedulableReference[..., Any] | Untyped,
        args: Mapping[str, Any],
        /,
    ) -> ScheduledFunctionId: ...
    @overload
    async def run_after(self, delay: Duration, function: Untyped, /, **args: Any) -> ScheduledFunctionId: ...
    def run_after(
        self, delay: Duration, function: Any, /, *args: Any, **kwargs: Any
    ) -> Coroutine[Any, Any, ScheduledFunctionId]:
        """Run a function after a delay (milliseconds or a timedelta); return the job's id."""
        at_ms = self._requests.host.now_ms() + _delay(delay)
        return self._schedule(at_ms, function, args, kwargs, "scheduler.run_after")

    @overload
    async def run_at(
        self, moment: Moment, function: SchedulableReference[P, Any], /, *args: P.args, **kwargs: P.kwargs
    ) -> ScheduledFunctionId: ...
    @overload
    async def run_at(
        self,
        moment: Moment,
        function: SchedulableReference[..., Any] | Untyped,
        args: Mapping[str, Any],
        /,
    ) -> ScheduledFunctionId: ...
    @overload
    async def run_at(self, moment: Moment, function: Untyped, /, **args: Any) -> ScheduledFunctionId: ...
    def run_at(
        self, moment: Moment, function: Any, /, *args: Any, **kwargs: Any
    ) -> Coroutine[Any, Any, ScheduledFunctionId]:
        """Run a function at a moment (milliseconds or an aware datetime); return the job's id."""
        return self._schedule(moment_ms(moment), function, args, kwargs, "scheduler.run_at")

    def cancel(self, job: ScheduledFunctionId, /) -> Coroutine[Any, Any, None]:
        """Cancel a job that has not run yet."""
        return self._requests.ask("cancel", {"id": job}, label="scheduler.cancel")

    def _schedule(
        self, at_ms: float, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any], label: str
    ) -> Coroutine[Any, Any, Any]:
        path, plain = _call(function, args, kwargs)
        payload = {"at": at_ms, "path": path, "args": plain}
        return self._requests.ask("schedule", payload, ScheduledFunctionId, label=f"{label}({path})")


def _call(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    call = call_of(function, args, kwargs)
    definition = definition_of(function)
    if definition is not None and definition.kind == "query":
        raise ArgumentError(f"{call.path} is a query: only mutations and actions can be scheduled")
    return call.path, call.args


def _delay(delay: Duration) -> float:
    milliseconds = span_ms(delay)
    if milliseconds < 0:
        raise ArgumentError(f"the delay must not be negative: {delay!r}")
    return milliseconds
