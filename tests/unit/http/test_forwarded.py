"""What a proxy tells of its client: only from proxies that are named, and only what they themselves have appended."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from convexpy.http.forwarded import ForwardedHeaders


def client(proxies: list[str], peer: str, *headers: tuple[str, str], kind: str = "http") -> tuple[str, str]:
    """Return the address and the scheme that an application sees."""
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope)

    encoded = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers]
    scope = {"type": kind, "client": (peer, 5000), "scheme": "http", "headers": encoded}
    asyncio.run(ForwardedHeaders(app, proxies)(scope, None, None))  # type: ignore[arg-type]
    return seen[0]["client"][0], seen[0]["scheme"]


@pytest.mark.parametrize(
    ("proxies", "peer", "header", "address"),
    [
        (["10.0.0.1"], "10.0.0.1", "8.8.8.8", "8.8.8.8"),
        (["10.0.0.1"], "10.0.0.2", "8.8.8.8", "10.0.0.2"),
        (["10.0.0.1"], "10.0.0.1", "6.6.6.6, 8.8.8.8", "8.8.8.8"),
        (["10.0.0.0/8"], "10.0.0.1", "6.6.6.6, 8.8.8.8, 10.3.3.3", "8.8.8.8"),
        (["10.0.0.0/8"], "10.0.0.1", "10.1.1.1, 10.3.3.3", "10.1.1.1"),
        (["*"], "9.9.9.9", "6.6.6.6, 8.8.8.8", "8.8.8.8"),
        (["10.0.0.1"], "10.0.0.1", "6.6.6.6, nonsense", "10.0.0.1"),
        (["10.0.0.1"], "10.0.0.1", "", "10.0.0.1"),
        (["::1"], "::1", "[2001:db8::1]:443", "2001:db8::1"),
        (["10.0.0.1"], "10.0.0.1", "8.8.8.8:1234", "8.8.8.8"),
        ([], "10.0.0.1", "8.8.8.8", "10.0.0.1"),
    ],
)
def test_the_last_address_that_is_no_proxy(proxies: list[str], peer: str, header: str, address: str) -> None:
    for kind in ("http", "websocket"):
        assert client(proxies, peer, ("X-Forwarded-For", header), kind=kind)[0] == address


def test_several_headers_are_one_list() -> None:
    headers = (("X-Forwarded-For", "6.6.6.6"), ("X-Forwarded-For", "8.8.8.8"))
    assert client(["10.0.0.1"], "10.0.0.1", *headers)[0] == "8.8.8.8"


@pytest.mark.parametrize(
    ("name", "value", "scheme"),
    [("X-Forwarded-Proto", "https", "https"), ("X-Forwarded-Proto", "HTTPS, http", "https"), ("X-Forwarded-Proto", "ws", "http"),
     ("X-Forwarded-Proto", "javascript", "http"), ("Forwarded", 'for=1.1.1.1;proto="https"', "https"), ("Forwarded", "for=proto", "http")],
)  # fmt: skip
def test_the_scheme(name: str, value: str, scheme: str) -> None:
    assert client(["10.0.0.1"], "10.0.0.1", (name, value))[1] == scheme
    assert client(["10.0.0.1"], "10.0.0.2", (name, value))[1] == "http"
