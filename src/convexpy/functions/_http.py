"""HTTP actions: which handler answers which request of the site origin."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, NoReturn, TypeAlias, overload

from typing_extensions import TypeVar

from convexpy.errors import ProjectError, SourceLocation, caller_location
from convexpy.functions._signature import location_of
from convexpy.protocol.app_description import CorsDescription, RouteDescription, cors_rule_for

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response


_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_Method: TypeAlias = Literal["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
# The ctx is `ActionCtx`, of convexpy or generated: `Any`, since a handler may ask for the narrower one.
H = TypeVar("H", bound="Callable[[Any, Request], Awaitable[Response]]")


class Route(NamedTuple):
    """One method of one path, or of all paths with a prefix, and what answers it."""

    method: str
    path: str
    is_prefix: bool
    handler: Callable[[Any, Any], Awaitable[Any]]
    location: SourceLocation | None

    def describe(self) -> RouteDescription:
        """Return the route as data, with the place of the handler."""
        location = location_of(self.handler)
        return RouteDescription(
            method=self.method,
            path=None if self.is_prefix else self.path,
            path_prefix=self.path if self.is_prefix else None,
            file=location.file if location else None,
            line=location.line if location else None,
        )


class HttpRouter:
    """The module variable `http` of `http.py`. `route` returns the function unchanged."""

    def __init__(self) -> None:
        self.routes: list[Route] = []
        self.cors_rules: list[CorsDescription] = []

    @overload
    def route(self, path: str, /, *, method: _Method) -> Callable[[H], H]: ...
    @overload
    def route(self, path: str, /, *, methods: Sequence[_Method]) -> Callable[[H], H]: ...
    @overload
    def route(self, /, *, path_prefix: str, method: _Method) -> Callable[[H], H]: ...
    @overload
    def route(self, /, *, path_prefix: str, methods: Sequence[_Method]) -> Callable[[H], H]: ...
    @overload
    def route(self, path: str, /, *, method: _Method, handler: H) -> H: ...
    @overload
    def route(self, path: str, /, *, methods: Sequence[_Method], handler: H) -> H: ...
    @overload
    def route(self, /, *, path_prefix: str, method: _Method, handler: H) -> H: ...
    @overload
    def route(self, /, *, path_prefix: str, methods: Sequence[_Method], handler: H) -> H: ...
    def route(
        self,
        path: str | None = None,
        /,
        *,
        path_prefix: str | None = None,
        method: str | None = None,
        methods: Sequence[str] | None = None,
        handler: Any = None,
    ) -> Any:
        """Answer requests with an `async def` handler: as a decorator, or with `handler=`.

        Raises:
            ProjectError: with the place of the call.
        """
        location = caller_location()
        place = _place(path, path_prefix, location)
        chosen = _methods(method, methods, location)

        def add(answer: Any) -> Any:
            if not inspect.iscoroutinefunction(answer):
                _fail(f"an HTTP action is an async def function, not {answer!r}", location)
            for each in chosen:
                self._add(Route(each, place, path_prefix is not None, answer, location))
            return answer

        return add if handler is None else add(handler)

    def cors(
        self,
        path: str,
        /,
        *,
        origins: Sequence[str],
        headers: Sequence[str] = (),
        max_age: int | timedelta = 86_400,
    ) -> None:
        """Preflight and headers for a path, or for a prefix that ends with `/`.

        `max_age` is in seconds, as in the header.
        """
        location = caller_location()
        if isinstance(origins, str) or isinstance(headers, str):
            _fail("origins and headers are lists of strings", location)
        if any(rule.path == _place(path, None, location) for rule in self.cors_rules):
            _fail(f"two CORS rules for {path!r}", location)
        seconds = max_age.total_seconds() if isinstance(max_age, timedelta) else max_age
        self.cors_rules.append(CorsDescription(path, tuple(origins), tuple(headers), int(seconds)))

    def match(self, method: str, path: str) -> Route | None:
        """Return what answers a request: exact paths before prefixes, longer prefixes before shorter.

        HEAD is answered by GET.
        """
        wanted = "GET" if method == "HEAD" else method
        best: Route | None = None
        for route in self.routes:
            if route.method != wanted:
                continue
            if not route.is_prefix:
                if route.path == path:
                    return route
            elif path.startswith(route.path) and (best is None or len(route.path) > len(best.path)):
                best = route
        return best

    def cors_for(self, path: str) -> CorsDescription | None:
        """Return the rule for a path: an exact one, else that of the longest prefix."""
        return cors_rule_for(self.cors_rules, path)

    def describe(self) -> tuple[RouteDescription, ...]:
        """Return the routes as data."""
        return tuple(route.describe() for route in self.routes)

    def _add(self, route: Route) -> None:
        for other in self.routes:
            if (other.method, other.path, other.is_prefix) == (route.method, route.path, route.is_prefix):
                what = "prefix" if route.is_prefix else "path"
                _fail(
                    f"two handlers for {route.method} {what} {route.path!r}: "
                    f"{other.location} and {route.location}",
                    route.location,
                )
        self.routes.append(route)


def _place(path: str | None, prefix: str | None, location: SourceLocation | None) -> str:
    if (path is None) == (prefix is None):
        _fail("a route has a path or a path_prefix, one of them", location)
    place = path if path is not None else prefix
    if not isinstance(place, str) or not place.startswith("/"):
        _fail(f"a path starts with '/', {place!r} does not", location)
    if path is None and not place.endswith("/"):
        _fail(f"a path_prefix ends with '/', {place!r} does not", location)
    return place


def _methods(
    method: str | None, methods: Sequence[str] | None, location: SourceLocation | None
) -> tuple[str, ...]:
    if (method is None) == (methods is None):
        _fail("a route has a method or several methods, one of them", location)
    chosen = (method,) if method is not None else tuple(methods or ())
    for each in chosen:
        if each not in _METHODS:
            _fail(
                f"{each!r} is not a method: there are {', '.join(_METHODS)} (HEAD is answered by GET)",
                location,
            )
    if not chosen:
        _fail("a route needs at least one method", location)
    return chosen


def _fail(message: str, location: SourceLocation | None) -> NoReturn:
    raise ProjectError(message, location=location)


def http_router() -> HttpRouter:
    """Return a router without routes."""
    return HttpRouter()
