"""The types of what app tests use. The classes that do the work derive from these."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, Self, overload

from typing_extensions import ParamSpec, TypeVar

from convexpy.functions import ActionReference, MutationReference, QueryReference, Untyped
from convexpy.values import Duration

if TYPE_CHECKING:
    import httpx


P = ParamSpec("P")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)


class Subscription(ABC, Generic[R_co]):
    """A live query, open for the `with` block."""

    @property
    @abstractmethod
    def value(self) -> R_co:
        """The latest result; raises what the query raised."""

    @abstractmethod
    def next(self, timeout: Duration = 5_000) -> R_co:
        """The next result that was not seen yet; `TimeoutError` if none comes. Milliseconds or a timedelta."""

    @abstractmethod
    def __iter__(self) -> Iterator[R_co]: ...
    @abstractmethod
    def __enter__(self) -> Self: ...
    @abstractmethod
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> None: ...


class ConvexTest(ABC):
    """A fresh in-memory deployment of the app."""

    @abstractmethod
    def with_identity(self, **claims: Any) -> ConvexTest:
        """The same deployment, seen by this user; claims have Convex's keys."""

    @overload
    def query(self, function: QueryReference[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R: ...
    @overload
    def query(self, function: QueryReference[..., R], args: Mapping[str, Any], /) -> R: ...
    @overload
    def query(self, function: Untyped, args: Mapping[str, Any] = ..., /, **kwargs: Any) -> Any: ...
    @abstractmethod
    def query(self, function: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Run a query as a client would."""

    @overload
    def mutation(self, function: MutationReference[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R: ...
    @overload
    def mutation(self, function: MutationReference[..., R], args: Mapping[str, Any], /) -> R: ...
    @overload
    def mutation(self, function: Untyped, args: Mapping[str, Any] = ..., /, **kwargs: Any) -> Any: ...
    @abstractmethod
    def mutation(self, function: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Run a mutation as a client would."""

    @overload
    def action(self, function: ActionReference[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R: ...
    @overload
    def action(self, function: ActionReference[..., R], args: Mapping[str, Any], /) -> R: ...
    @overload
    def action(self, function: Untyped, args: Mapping[str, Any] = ..., /, **kwargs: Any) -> Any: ...
    @abstractmethod
    def action(self, function: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Run an action as a client would."""

    @overload
    def subscribe(
        self, function: QueryReference[P, R], /, *args: P.args, **kwargs: P.kwargs
    ) -> Subscription[R]: ...
    @overload
    def subscribe(self, function: QueryReference[..., R], args: Mapping[str, Any], /) -> Subscription[R]: ...
    @overload
    def subscribe(
        self, function: Untyped, args: Mapping[str, Any] = ..., /, **kwargs: Any
    ) -> Subscription[Any]: ...
    @abstractmethod
    def subscribe(self, function: Any, /, *args: Any, **kwargs: Any) -> Subscription[Any]:
        """Subscribe to a query."""

    @abstractmethod
    def run(self, function: Callable[[Any], R], /) -> R:
        """Call it with a `MutationCtx`, in one transaction."""

    @abstractmethod
    def advance(self, duration: Duration, /) -> None:
        """Move the clock; jobs and crons that fall due run."""

    @abstractmethod
    def finish_scheduled(self) -> None:
        """Run scheduled functions, and those that they schedule, until none is left."""

    @abstractmethod
    def fetch(
        self,
        path: str,
        /,
        *,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        content: bytes | str | None = None,
        json: Any = None,
        params: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """A request to the app's HTTP actions; with a URL of `ctx.storage`, an upload or a download."""
