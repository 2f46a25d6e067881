"""Requests and responses over bare ASGI: headers, bodies within bounds, JSON errors, CORS."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from convexpy.errors import RequestError
from convexpy.limits import USER_AGENT_LENGTH_MAX

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

JSON_TYPE = (b"content-type", b"application/json")
TEXT_TYPE = (b"content-type", b"text/plain; charset=utf-8")
ALLOWED_METHODS = b"GET, POST, OPTIONS, PATCH, DELETE, PUT"
encode_json: Callable[[Any], bytes] = msgspec.json.Encoder().encode


class Response:
    """A complete response."""

    __slots__ = ("body", "headers", "status")

    def __init__(self, status: int, body: bytes = b"", headers: Headers | None = None) -> None:
        self.status: int = status
        self.body: bytes = body
        self.headers: Headers = headers or []


@functools.lru_cache(maxsize=256)
def _parameters(query_string: bytes) -> dict[str, str]:
    return dict(parse_qsl(query_string.decode("latin-1"), keep_blank_values=True))


def json_response(value: Any, status: int = 200) -> Response:
    """Return a value as JSON."""
    return Response(status, encode_json(value), [JSON_TYPE])


def text_response(text: str, status: int = 200) -> Response:
    """Return plain text."""
    return Response(status, text.encode(), [TEXT_TYPE])


def error_response(error: RequestError, details: Mapping[str, Any] | None = None) -> Response:
    """Return a failed request: `{code, message}` and, for our own tools, a hint if there is one, and more."""
    hint = {"hint": error.hint} if error.hint else {}
    return json_response(
        {"code": error.code, "message": error.message, **hint, **(details or {})}, error.status
    )


class HttpRequest:
    """One request of a client."""

    __slots__ = ("_body", "_receive", "body_max", "headers", "method", "params", "path", "scope")

    def __init__(self, scope: Scope, receive: Receive, body_max: int) -> None:
        self.scope: Scope = scope
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self.params: dict[str, str] | None = None
        self.body_max: int = body_max
        self._receive = receive
        self._body: bytes | None = None

    def header(self, name: bytes) -> str | None:
        """Return a header's text; its name in lower case."""
        value = self.headers.get(name)
        return None if value is None else value.decode("latin-1")

    def query(self, name: str) -> str | None:
        """Return a query parameter."""
        if self.params is None:
            self.params = _parameters(self.scope["query_string"])
        return self.params.get(name)

    @property
    def client_address(self) -> str | None:
        """Where the request came from."""
        client = self.scope.get("client")
        return client[0] if client else None

    @property
    def user_agent(self) -> str | None:
        """The `User-Agent` header, cut at `USER_AGENT_LENGTH_MAX`: it is kept with calls."""
        value = self.headers.get(b"user-agent")
        return None if value is None else value[:USER_AGENT_LENGTH_MAX].decode("latin-1")

    async def receive(self) -> dict[str, Any]:
        """Return the next message of the client: a part of the body, or that it went away."""
        return await self._receive()

    async def body(self) -> bytes:
        """Return the whole body.

        Raises:
            RequestError: it is larger than allowed (413).
        """
        if self._body is not None:
            return self._body
        announced = self.headers.get(b"content-length", b"")
        if len(announced) > 6 and announced.isdigit() and int(announced[:20]) > self.body_max:
            raise self._too_large()
        parts: list[bytes] = []
        size = 0
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise RequestError("the client went away", status=408, code="ClientDisconnected")
            part: bytes = message.get("body", b"")
            if part:
                parts.append(part)
                size += len(part)
                if size > self.body_max:
                    raise self._too_large()
            if not message.get("more_body"):
                break
        self._body = parts[0] if len(parts) == 1 else b"".join(parts)
        return self._body

    def _too_large(self) -> RequestError:
        text = f"the body is larger than {self.body_max} bytes"
        return RequestError(text, status=413, code="RequestBodyTooLarge")

    async def json_body(self) -> bytes:
        """Return the body of a request that must be JSON.

        Raises:
            RequestError: the content type is another: browsers' forms send those without a preflight.
        """
        kind = self.headers.get(b"content-type") or b""
        if kind != b"application/json" and not _is_json(kind):
            raise RequestError("Expected request with `Content-Type: application/json`", code="BadJsonBody")
        return await self.body()


def _is_json(content_type: bytes) -> bool:
    kind = content_type.split(b";")[0].strip().lower()
    return kind == b"application/json" or kind.endswith(b"+json")


def decode_body(data: bytes, type: Any) -> Any:
    """Return a JSON body as `type`.

    Raises:
        RequestError: it is not valid JSON, or not of that shape.
    """
    try:
        return msgspec.json.decode(data, type=type)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise RequestError(f"the body is not what this route takes: {error}", code="BadJsonBody") from error


def cors_headers(headers: Mapping[bytes, bytes]) -> Headers:
    """Return the CORS headers of every response, errors included: the origin is mirrored, for credentials are allowed."""
    origin = headers.get(b"origin")
    if origin is None:
        return []
    return [
        (b"access-control-allow-origin", origin),
        (b"access-control-allow-credentials", b"true"),
        (b"vary", b"origin, access-control-request-method, access-control-request-headers"),
    ]


def preflight(headers: Mapping[bytes, bytes]) -> Response:
    """Answer a preflight."""
    allowed: Headers = [
        *cors_headers(headers),
        (b"access-control-allow-methods", ALLOWED_METHODS),
        (b"access-control-max-age", b"86400"),
    ]
    asked = headers.get(b"access-control-request-headers")
    if asked is not None:
        allowed.append((b"access-control-allow-headers", asked))
    return Response(200, b"", allowed)
