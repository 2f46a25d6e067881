"""What a service adds to the API: handlers by method and path."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from convexpy.errors import Error, RequestError
from convexpy.http.messages import HttpRequest, Response

Handler = Callable[[HttpRequest], Awaitable[Response]]


@dataclass(frozen=True)
class Routes:
    """The routes of one service. `below` has handlers by the beginning of a path, for every method.

    Handlers that are `waiting` wait for news: the stop of the server does not wait for them.
    """

    exact: Mapping[tuple[str, str], Handler]
    below: Mapping[str, Handler] = field(default_factory=dict[str, Handler])
    waiting: bool = False


class HasRoutes(Protocol):
    """A part of a service that adds routes."""

    def routes(self) -> Routes:
        """Return them."""
        ...


def method_not_allowed(request: HttpRequest) -> RequestError:
    """Return the error of a path that exists, and does not take this method."""
    return RequestError(f"{request.method} is not allowed here", status=405, code="MethodNotAllowed")


@contextmanager
def errors_of_the_request() -> Generator[None]:
    """Report what a system function refuses as a request that cannot be done (400)."""
    try:
        yield
    except RequestError:
        raise
    except Error as error:
        message = error.message.removeprefix("ArgumentError: ").split("\n    at ")[0]
        raise RequestError(message, code=error.code) from error
