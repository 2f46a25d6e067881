"""Which hosts and pages are served: by the headers that browsers send, in development and in production."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from convexpy.http.request_guard import AllowedNames, RequestGuard
from convexpy.limits import REFUSALS_REPORTED_MAX
from convexpy.protocol.host_names import read_host, read_origin

LOOPBACK = ["127.0.0.1:3210", "localhost", "localhost:1", "LocalHost:3210", "app.localhost:5173", "[::1]:3210", "127.9.9.9",
            "localhost.:3210", "[::ffff:127.0.0.1]:80"]  # fmt: skip
FOREIGN_HOSTS = ["evil.example", "evil.example:3210", "localhost.evil.example", "127.0.0.1.evil.example", "notlocalhost",
                 "192.168.1.5:3210", "0.0.0.0:3210", "[::]", "10.0.0.1", "127.1", "2130706433", "0x7f000001", "", " ",
                 "localhost evil.example", "user@localhost", "localhost:evil", "localhost:3210/", "localhost,evil.example",
                 "localhost\x00.evil", "[::1", "xn--localhost-", "a" * 400]  # fmt: skip
FOREIGN_PAGES = ["https://evil.example", "http://localhost.evil.example", "http://127.0.0.1.evil.example:3210", "null", "",
                 "file://", "http://", "localhost", "http://localhost:5173, https://evil.example", "http://localhost@evil.example",
                 "http://evil.example#localhost", "http://192.168.1.5:5173", "http://localhost:99x", "chrome-extension://abcdef",
                 "data:text/html,x", "http://localhost/evil", "https://evil.example:3210", "capacitor://localhost"]  # fmt: skip
LOOPBACK_PAGES = ["http://localhost:5173", "https://localhost", "http://127.0.0.1:3211", "http://[::1]:8000",
                  "http://app.localhost", "HTTP://LOCALHOST:1"]  # fmt: skip
DEV = AllowedNames.of(production=False, hosts=[], origins=[], own=["http://127.0.0.1:3210"])
PROD = AllowedNames.of(
    production=True, hosts=[], origins=[], own=["https://api.example.com", "https://api.example.com/http"]
)


def answer(
    allowed: AllowedNames, *headers: tuple[str, str], path: str = "/api/query", **options: Any
) -> tuple[int, str, list[str]]:
    """Return status, error text and what was reported of one HTTP request."""
    sent: list[dict[str, Any]] = []
    reports: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b'{"message": ""}'})

    async def receive() -> Any:
        raise AssertionError("the body must not be waited for")

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    guard = RequestGuard(app, allowed, report=reports.append, **options)
    encoded = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers]
    scope = {"type": "http", "method": "POST", "path": path, "headers": encoded}
    asyncio.run(guard(scope, receive, send))
    names = {name for name, _ in sent[0]["headers"]}
    assert not any(name.startswith(b"access-control") for name in names)
    return sent[0]["status"], json.loads(sent[1]["body"])["message"], reports


@pytest.mark.parametrize("host", LOOPBACK)
def test_a_development_server_answers_to_every_name_of_this_machine(host: str) -> None:
    assert answer(DEV, ("Host", host))[0] == 200


@pytest.mark.parametrize("host", FOREIGN_HOSTS)
def test_a_development_server_answers_to_no_other_host(host: str) -> None:
    status, text, reports = answer(DEV, ("Host", host))
    assert status == 403
    assert reports == [text]
    assert "\x00" not in text
    assert answer(DEV, ("Host", "localhost"), ("Host", host))[0] == 403


def test_a_development_server_wants_a_host() -> None:
    assert answer(DEV)[0] == 403


@pytest.mark.parametrize("page", LOOPBACK_PAGES)
def test_pages_of_this_machine_may_call(page: str) -> None:
    for allowed in (DEV, PROD):
        assert answer(allowed, ("Host", "127.0.0.1:3210"), ("Origin", page))[0] == 200


@pytest.mark.parametrize("page", FOREIGN_PAGES)
def test_no_other_page_may_call(page: str) -> None:
    for allowed in (DEV, PROD):
        assert answer(allowed, ("Host", "127.0.0.1:3210"), ("Origin", page))[0] == 403
        twice = (("Host", "127.0.0.1:3210"), ("Origin", "http://localhost:1"), ("Origin", page))
        assert answer(allowed, *twice)[0] == 403


def test_the_text_names_the_flag() -> None:
    _, text, _ = answer(DEV, ("Host", "phone.example:3210"))
    assert "--allow-host phone.example " in text
    assert "CONVEXPY_DEV_ALLOW_HOST" in text
    assert "convexpy.toml" in text
    _, text, _ = answer(PROD, ("Host", "api.example.com"), ("Origin", "https://app.example.com"))
    assert "--allow-origin https://app.example.com (variable CONVEXPY_SERVE_ALLOW_ORIGIN)" in text


def test_named_hosts_and_pages_are_served_and_their_neighbours_are_not() -> None:
    allowed = AllowedNames.of(
        production=False,
        hosts=["192.168.1.5", "fe80::1", ".tunnel.example"],
        origins=["https://app.example", "http://10.0.0.9:5173/"],
    )
    for host in ("192.168.1.5:3210", "[fe80::1]:80", "abc.tunnel.example"):
        assert answer(allowed, ("Host", host))[0] == 200, host
    for host in ("192.168.1.6", "tunnel.example", "abctunnel.example", "x192.168.1.5"):
        assert answer(allowed, ("Host", host))[0] == 403, host
    local = ("Host", "localhost:3210")
    for page in ("https://app.example", "https://APP.example:443", "http://10.0.0.9:5173"):
        assert answer(allowed, local, ("Origin", page))[0] == 200, page
    for page in ("http://app.example", "https://app.example:444", "https://x.app.example", "http://10.0.0.9"):
        assert answer(allowed, local, ("Origin", page))[0] == 403, page
    # A page of the same host, as a phone opens it; but not one of another name that is allowed as a host.
    assert answer(allowed, ("Host", "192.168.1.5:3210"), ("Origin", "http://192.168.1.5:5173"))[0] == 200
    assert answer(allowed, local, ("Origin", "http://abc.tunnel.example"))[0] == 403


def test_production_answers_to_its_own_names_and_to_those_that_no_stranger_can_make() -> None:
    for host in ("api.example.com", "10.0.0.7:3210", "convexpy:3210", "localhost"):
        assert answer(PROD, ("Host", host))[0] == 200, host
    assert answer(PROD)[0] == 200
    for host in ("evil.example", "api.example.com.evil.example"):
        assert answer(PROD, ("Host", host))[0] == 403, host
    assert answer(PROD, ("Host", "convexpy:3210"), ("Origin", "https://api.example.com"))[0] == 200


def test_a_star_allows_any() -> None:
    allowed = AllowedNames.of(production=True, hosts=["*"], origins=["*"])
    assert answer(allowed, ("Host", "any.example"), ("Origin", "null"))[0] == 200
    assert (
        answer(AllowedNames.of(production=True, hosts=[], origins=["*"]), ("Host", "any.example"))[0] == 403
    )


def test_http_actions_have_their_own_cors_in_production_only() -> None:
    headers = (("Host", "localhost"), ("Origin", "https://evil.example"))
    assert answer(PROD, *headers, path="/http/hook", open_to_pages=("/http/",))[0] == 200
    assert answer(PROD, *headers, path="/api/query", open_to_pages=("/http/",))[0] == 403
    assert answer(DEV, *headers, path="/http/hook", open_to_pages=("/http/",))[0] == 403


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "image", "Referer": "https://evil.example/x"}, 403),
        ({"Sec-Fetch-Site": "same-site", "Sec-Fetch-Dest": "image", "Referer": "https://evil.example/x"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "image", "Referer": "http://localhost:5173/x"}, 200),
        ({"Sec-Fetch-Site": "same-site", "Sec-Fetch-Dest": "image"}, 200),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}, 200),
        ({"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}, 200),
        ({"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"}, 200),
    ],
)  # fmt: skip
def test_what_a_page_embeds_is_the_call_of_that_page(headers: dict[str, str], status: int) -> None:
    sent = (("Host", "127.0.0.1:3211"), *headers.items())
    assert answer(DEV, *sent, path="/act")[0] == status
    assert answer(PROD, *sent, path="/act")[0] == 200


def test_a_stored_file_may_be_shown_by_a_page_that_tells_nobody_where_it_is() -> None:
    sent = (("Host", "127.0.0.1:3210"), ("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Dest", "image"))
    assert answer(DEV, *sent, path="/api/storage/00000000-0000-4000-8000-000000000000")[0] == 200
    assert answer(DEV, *sent, path="/api/storage/upload")[0] == 403


def test_reports_are_few() -> None:
    reports: list[str] = []

    async def nothing(*_: Any) -> None:
        pass

    guard = RequestGuard(nothing, DEV, report=reports.append)
    for number in [*range(200), *range(200)]:
        scope = {
            "type": "http",
            "method": "GET",
            "path": "/",
            "headers": [(b"host", b"h%d.example" % number)],
        }
        asyncio.run(guard(scope, nothing, nothing))  # type: ignore[arg-type]
    assert len(reports) == REFUSALS_REPORTED_MAX


def test_hosts_and_origins_are_read_whole_or_not_at_all() -> None:
    assert read_host("API.Example.com.:8080") == "api.example.com"
    assert read_host("[::1]:80") == "::1"
    assert read_host("a..b") is None
    assert read_origin("https://a.example/") == ("https", "a.example", 443)
    assert read_origin("tauri://localhost") == ("tauri", "localhost", None)
    assert read_origin("https://a.example/path") is None
