"""Which requests are direct calls: those that ASGI would treat the same."""

from __future__ import annotations

from typing import Any, cast

import pytest

from convexpy.http.direct_calls import BODY_BYTES_MAX, DirectCalls
from convexpy.http.request_guard import AllowedNames, RequestGuard

PLAIN = {
    b"host": b"localhost:3210",
    b"content-type": b"application/json",
    b"content-length": b"30",
    b"user-agent": b"node",
    b"connection": b"keep-alive",
    b"convex-client": b"npm-1.48.0",
}
NOT_PLAIN: list[dict[bytes, bytes]] = [
    {b"authorization": b"Bearer x"},
    {b"origin": b"http://localhost"},
    {b"sec-fetch-site": b"cross-site"},
    {b"x-forwarded-for": b"1.2.3.4"},
    {b"forwarded": b"for=1.2.3.4"},
    {b"transfer-encoding": b"chunked"},
    {b"expect": b"100-continue"},
    {b"content-encoding": b"gzip"},
    {b"upgrade": b"websocket"},
    {b"connection": b"close"},
    {b"connection": b"upgrade"},
    {b"content-type": b"text/plain"},
    {b"content-length": b"-1"},
    {b"content-length": b"%d" % (BODY_BYTES_MAX + 1)},
    {b"convex-client": b"nonsense"},
    {b"host": b"evil.example.com"},
]


@pytest.fixture
def calls() -> DirectCalls:
    nothing = cast("Any", None)
    guard = RequestGuard(nothing, AllowedNames(production=False))
    return DirectCalls(nothing, nothing, guard)


def test_what_official_clients_send_is_direct(calls: DirectCalls) -> None:
    assert calls.kind(b"POST", b"/api/query", list(PLAIN.items())) == "query"
    assert calls.kind(b"POST", b"/api/mutation?format=json", list(PLAIN.items())) == "mutation"


@pytest.mark.parametrize(
    "url", [b"/api/action", b"/api/query?a=b", b"//api/query", b"/api/query/", b"/http/api/query"]
)
def test_other_paths_are_not(calls: DirectCalls, url: bytes) -> None:
    assert calls.kind(b"POST", url, list(PLAIN.items())) is None


@pytest.mark.parametrize("method", [b"GET", b"OPTIONS", b"PUT"])
def test_other_methods_are_not(calls: DirectCalls, method: bytes) -> None:
    assert calls.kind(method, b"/api/query", list(PLAIN.items())) is None


@pytest.mark.parametrize("headers", NOT_PLAIN)
def test_what_says_more_than_a_call_is_not(calls: DirectCalls, headers: dict[bytes, bytes]) -> None:
    assert calls.kind(b"POST", b"/api/query", list({**PLAIN, **headers}.items())) is None


@pytest.mark.parametrize("name", [b"host", b"content-type", b"content-length"])
def test_what_says_less_is_not(calls: DirectCalls, name: bytes) -> None:
    headers = [header for header in PLAIN.items() if header[0] != name]
    assert calls.kind(b"POST", b"/api/query", headers) is None
    assert calls.kind(b"POST", b"/api/query", [*headers, (name, PLAIN[name]), (name, PLAIN[name])]) is None
