"""Which requests are direct calls: those that ASGI would treat the same."""

from __future__ import annotations

from typing import Any, cast

import pytest

from convexpy.errors import RequestError
from convexpy.http.direct_calls import BODY_BYTES_MAX, DirectCall, DirectCalls, DirectHead
from convexpy.http.request_guard import AllowedNames, RequestGuard
from convexpy.http.running import RunningRequests
from convexpy.limits import HTTP_KNOWN_HEAD_BYTES_MAX, HTTP_KNOWN_HEADS_MAX
from convexpy.sync import ActionShares

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
    assert calls.head(b"POST", b"/api/query", list(PLAIN.items())) == DirectHead("query", 30, None, "node")
    named = [*PLAIN.items(), (b"convex-request-id", b"r1")]
    assert calls.head(b"POST", b"/api/mutation?format=json", named) == DirectHead(
        "mutation", 30, b"r1", "node"
    )


@pytest.mark.parametrize(
    "url", [b"/api/action", b"/api/query?a=b", b"//api/query", b"/api/query/", b"/http/api/query"]
)
def test_other_paths_are_not(calls: DirectCalls, url: bytes) -> None:
    assert calls.head(b"POST", url, list(PLAIN.items())) is None


@pytest.mark.parametrize("method", [b"GET", b"OPTIONS", b"PUT"])
def test_other_methods_are_not(calls: DirectCalls, method: bytes) -> None:
    assert calls.head(method, b"/api/query", list(PLAIN.items())) is None


@pytest.mark.parametrize("headers", NOT_PLAIN)
def test_what_says_more_than_a_call_is_not(calls: DirectCalls, headers: dict[bytes, bytes]) -> None:
    assert calls.head(b"POST", b"/api/query", list({**PLAIN, **headers}.items())) is None


@pytest.mark.parametrize("name", [b"host", b"content-type", b"content-length"])
def test_what_says_less_is_not(calls: DirectCalls, name: bytes) -> None:
    headers = [header for header in PLAIN.items() if header[0] != name]
    assert calls.head(b"POST", b"/api/query", headers) is None
    assert calls.head(b"POST", b"/api/query", [*headers, (name, PLAIN[name]), (name, PLAIN[name])]) is None


HEAD = b"POST /api/query HTTP/1.1\r\nhost: localhost\r\ncontent-length: 4\r\n\r\n"
READ = DirectHead("query", 4, None, None)


def test_a_request_is_known_by_its_head(calls: DirectCalls) -> None:
    assert calls.known(HEAD + b"1234") is None
    calls.learn(HEAD + b"1234", READ)
    assert calls.known(HEAD + b"5678") == (READ, b"5678")
    assert calls.known(HEAD.replace(b"localhost", b"elsewhere") + b"5678") is None


@pytest.mark.parametrize("data", [b"", HEAD, HEAD + b"123", HEAD + b"12345", HEAD + b"1234" + HEAD])
def test_what_is_not_one_whole_request_is_not_known(calls: DirectCalls, data: bytes) -> None:
    calls.learn(HEAD + b"1234", READ)
    assert calls.known(data) is None


@pytest.mark.parametrize("before", [b"X" * HTTP_KNOWN_HEAD_BYTES_MAX, HEAD, HEAD + b"1234"])
def test_only_heads_that_stand_alone_are_kept(calls: DirectCalls, before: bytes) -> None:
    calls.learn(before + HEAD + b"1234", READ)
    assert calls.known(before + HEAD + b"1234") is None


def test_a_head_with_a_request_id_is_not_kept(calls: DirectCalls) -> None:
    calls.learn(HEAD + b"1234", READ._replace(request_id=b"r1"))
    assert calls.known(HEAD + b"1234") is None


def test_so_many_heads_are_kept(calls: DirectCalls) -> None:
    for number in range(HTTP_KNOWN_HEADS_MAX + 1):
        calls.learn(b"%d" % number + HEAD + b"1234", READ)
    assert calls.known(b"1" + HEAD + b"1234") is None
    assert calls.known(b"%d" % HTTP_KNOWN_HEADS_MAX + HEAD + b"1234") is not None


class Written(DirectCall):
    """A call whose response is kept."""

    def write(self, status: int, headers: bytes, body: bytes) -> None:
        self.written = (status, body)


@pytest.mark.parametrize("error", [None, RequestError("no", code="No", status=503)])
def test_a_call_is_in_the_access_log_when_it_ends(error: RequestError | None) -> None:
    class Functions:
        def call_directly(self, kind: str, body: bytes, answer: Any, fail: Any, **context: Any) -> None:
            assert records == []
            if error is not None:
                raise error
            answer(b"{}")

    records: list[dict[str, Any]] = []
    functions, guard = (
        cast("Any", Functions()),
        RequestGuard(cast("Any", None), AllowedNames(production=False)),
    )
    running = RunningRequests(ActionShares(0))
    call = Written(READ, running)
    DirectCalls(functions, running, guard, records.append).begin(call, b"1234", "10.0.0.1")
    status, body = call.written
    (record,) = records
    assert record.pop("ms") >= 0
    assert record == {
        "method": "POST",
        "path": "/api/query",
        "status": status,
        "bytes": len(body),
        "client": "10.0.0.1",
    }
    assert (status, len(running)) == (200 if error is None else 503, 0)
