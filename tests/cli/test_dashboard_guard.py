"""The guard of the dashboard, request by request."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from convexpy_cli.dashboard.guard import Guard, Session

HOST = "127.0.0.1:4000"
SESSION = Session("the-token", "the-secret")
COOKIE = f"{SESSION.cookie_name}=the-secret"


async def _inside(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
        return
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"x-frame-options", b"SAMEORIGIN")]}
    )
    await send({"type": "http.response.body", "body": b"inside"})


def ask(
    headers: dict[str, str], *, path: str = "/data", query: str = "", method: str = "GET", kind: str = "http"
) -> Any:
    """Return what is answered: the messages."""
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    scope = {
        "type": kind,
        "method": method,
        "path": path,
        "query_string": query.encode(),
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
    }
    asyncio.run(Guard(_inside, SESSION)(scope, receive, send))
    return sent


def status(headers: dict[str, str], **of: Any) -> int:
    return int(ask(headers, **of)[0]["status"])


def test_the_cookie_lets_in() -> None:
    answer = ask({"host": HOST, "cookie": f"other=1; {COOKIE}"})
    assert answer[1]["body"] == b"inside"
    headers = dict(answer[0]["headers"])
    assert headers[b"x-frame-options"] == b"SAMEORIGIN"
    assert b"frame-ancestors 'none'" in headers[b"content-security-policy"]


@pytest.mark.parametrize(
    "cookie", ["", f"{SESSION.cookie_name}=", f"{SESSION.cookie_name}=the-secreT", "x=the-secret", "\x00"]
)
def test_without_it_nothing_is_answered(cookie: str) -> None:
    assert status({"host": HOST, "cookie": cookie}) == 403


def test_the_token_is_exchanged_for_the_cookie() -> None:
    start, body = ask({"host": HOST}, path="//evil.example/x", query="token=the-token")
    headers = dict(start["headers"])
    assert headers[b"set-cookie"] == f"{COOKIE}; Path=/; HttpOnly; SameSite=Strict".encode()
    assert headers[b"cache-control"] == b"no-store"
    assert b'url=/evil.example/x"' in body["body"]
    assert status({"host": HOST}, query="token=the-tokeN") == 403
    assert status({"host": HOST}, query="token=the-token", method="POST") == 403
    assert status({"host": "evil.example"}, query="token=the-token") == 403


@pytest.mark.parametrize("host", ["localhost:9", "127.0.0.1", "[::1]:4000", "dash.localhost:4000"])
def test_names_of_this_machine_are_answered(host: str) -> None:
    assert status({"host": host, "cookie": COOKIE}) == 200


@pytest.mark.parametrize(
    "host", ["evil.example:4000", "127.0.0.1.evil.example", "10.0.0.1", "", "localhost@evil.example"]
)
def test_other_names_are_not(host: str) -> None:
    assert status({"host": host, "cookie": COOKIE}) == 403


def test_a_request_without_a_host_is_refused() -> None:
    assert status({"cookie": COOKIE}) == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://127.0.0.1:4001"},
        {"origin": "http://localhost:4000"},
        {"origin": "https://127.0.0.1:4000"},
        {"origin": "null"},
        {"sec-fetch-site": "same-site", "sec-fetch-mode": "no-cors", "sec-fetch-dest": "image"},
        {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe"},
    ],
)
def test_pages_of_others_are_refused(headers: dict[str, str]) -> None:
    assert status({"host": HOST, "cookie": COOKIE, **headers}) == 403
    answer = ask({"host": HOST, "cookie": COOKIE, **headers}, kind="websocket")
    assert answer == [{"type": "websocket.close", "code": 1008}]


def test_its_own_pages_are_answered() -> None:
    own = {"host": HOST, "cookie": COOKIE, "origin": f"http://{HOST}", "sec-fetch-site": "same-origin"}
    assert status(own) == 200
    assert ask(own, kind="websocket") == [{"type": "websocket.accept"}]
    assert ask({"host": HOST}, kind="websocket") == [{"type": "websocket.close", "code": 1008}]


def test_sessions_have_nothing_in_common() -> None:
    one, other = Session(), Session()
    assert len({one.token, one.secret, other.token, other.secret}) == 4
    assert one.cookie_name != other.cookie_name
    assert one.secret not in one.cookie_name
