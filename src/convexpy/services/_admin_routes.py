"""Routes of the admin API: each says which operation its key must allow and what its body is; the rest is alike."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, TypeVar

from convexpy.engine.identities import Identities
from convexpy.errors import RequestError
from convexpy.http.identify import caller_of
from convexpy.http.messages import HttpRequest, Response, decode_body, json_response
from convexpy.http.routing import Handler, Routes
from convexpy.protocol.system import Operation

H = TypeVar("H", bound=Callable[..., Awaitable[Any]])


class _Route(NamedTuple):
    method: str
    path: str
    operations: tuple[Operation, ...]
    body: Any


def route(
    method: str, path: str, operation: Operation | tuple[Operation, ...], body: Any = None
) -> Callable[[H], H]:
    """Have the decorated method answer requests of keys that allow the operation, or one of several.

    It gets the request, or the JSON body as a `body` if there is one, and returns a `Response` or what is sent as JSON.
    """

    def mark(handler: H) -> H:
        routes: list[_Route] = handler.__dict__.setdefault("routes", [])
        routes.append(_Route(method, path, (operation,) if isinstance(operation, str) else operation, body))
        return handler

    return mark


@dataclass(kw_only=True, eq=False)
class AdminRoutes:
    """The routes of a service, whose methods are marked by `route`."""

    identities: Identities

    def routes(self) -> Routes:
        """Return the handlers."""
        handlers: dict[tuple[str, str], Handler] = {}
        for name, member in vars(type(self)).items():
            for each in getattr(member, "routes", ()):
                handlers[each.method, each.path] = partial(self._answer, each, getattr(self, name))
        return Routes(handlers)

    async def _answer(
        self, route: _Route, handler: Callable[[Any], Awaitable[Any]], request: HttpRequest
    ) -> Response:
        access = (await caller_of(self.identities, request)).access
        if access is None:
            raise RequestError("this route needs an admin key", status=403, code="BadDeployKey")
        if not any(map(access.allows, route.operations)):
            access.require(route.operations[0])
        argument = request if route.body is None else decode_body(await request.json_body(), route.body)
        answer = await handler(argument)
        return answer if isinstance(answer, Response) else json_response(answer)
