"""What a page of the web reaches of a server on a developer's machine: nothing, on no port and by no kind of request."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from support.processes import ServerProcess
from support.production import ProductionServer
from support.sockets import SyncSocket, add
from websockets.exceptions import InvalidStatus

APP = """
from convexpy import PlainTextResponse, http_router, mutation, query

@query
def secret(ctx) -> str:
    return "secret"

@mutation
def write(ctx) -> None:
    ctx.db.insert("items", {})

@query
def written(ctx) -> int:
    return ctx.db.query("items").count()
"""
HTTP = """
from convexpy import PlainTextResponse, http_router

http = http_router()
http.cors("/open", origins=["*"])

@http.route("/open", methods=["GET", "POST"])
async def open(ctx, request):
    await ctx.run_mutation("fn:write")
    return PlainTextResponse("open")
"""
EVIL = "https://evil.example"


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    server = ServerProcess(
        tmp_path_factory.mktemp("pages") / "data", "--allow-origin", "https://mine.example"
    )
    try:
        server.push_ok({"fn.py": APP, "http.py": HTTP})
        yield server
    finally:
        server.close()


def fetch(url: str, method: str, path: str, **headers: str) -> tuple[int, str, dict[str, str]]:
    connection = http.client.HTTPConnection("127.0.0.1", urlsplit(url).port, timeout=200)
    try:
        body = json.dumps({"path": "fn:write", "args": {}}) if method == "POST" else None
        sent = {
            "content-type": "application/json",
            **{name.replace("_", "-"): text for name, text in headers.items()},
        }
        connection.request(method, path, body, sent)
        response = connection.getresponse()
        text = response.read().decode()
        return response.status, text, {name.lower(): value for name, value in response.headers.items()}
    finally:
        connection.close()


REQUESTS = [
    ("url", "POST", "/api/mutation"), ("url", "OPTIONS", "/api/mutation"), ("url", "GET", "/api/query?path=fn:secret"),
    ("url", "GET", "/api/convexpy/status"), ("url", "GET", "/version"), ("url", "HEAD", "/"), ("url", "POST", "/api/storage/upload"),
    ("url", "POST", "/http/open"), ("url", "OPTIONS", "/http/open"), ("url", "GET", "/nowhere"), ("url", "POST", "//api/mutation"),
    ("site_url", "POST", "/open"), ("site_url", "OPTIONS", "/open"), ("site_url", "GET", "/open"),
]  # fmt: skip


@pytest.mark.parametrize(("origin", "method", "path"), REQUESTS)
@pytest.mark.parametrize(
    "headers",
    [{"Origin": EVIL}, {"Origin": "null"}, {"Host": "evil.example:3210"}],
    ids=["page", "sandboxed", "rebound"],
)
def test_no_request_of_a_strange_page_is_answered(
    app: ServerProcess, origin: str, method: str, path: str, headers: dict[str, str]
) -> None:
    status, text, answered = fetch(getattr(app, origin), method, path, **headers)
    assert status == 403
    assert not [name for name in answered if name.startswith("access-control")]
    if method != "HEAD":
        assert f"--allow-{'host' if 'Host' in headers else 'origin'}" in json.loads(text)["message"]
    assert app.call("query", "fn:written") == 0


@pytest.mark.parametrize("page", [EVIL, "null"])
def test_no_socket_of_a_strange_page_is_opened(app: ServerProcess, page: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        SyncSocket(app.url, origin=page, hello=False)
    assert refused.value.response.status_code == 403
    assert f"--allow-origin {page} " in json.loads(refused.value.response.body or b"")["message"]
    with pytest.raises(InvalidStatus):
        SyncSocket(
            app.url.replace("127.0.0.1", "localhost"),
            additional_headers={"Host": "evil.example"},
            hello=False,
        )


@pytest.mark.parametrize("page", ["http://localhost:5173", "https://mine.example", None])
def test_pages_of_this_machine_and_named_ones_are_served(app: ServerProcess, page: str | None) -> None:
    headers = {} if page is None else {"Origin": page}
    status, _, answered = fetch(app.url, "GET", "/api/query?path=fn:secret", **headers)
    assert (status, answered.get("access-control-allow-origin")) == (200, page)
    assert fetch(app.url, "OPTIONS", "/api/query", **headers)[0] == 200
    with SyncSocket(app.url, origin=page) as socket:
        socket.modify(add(0, "fn:secret"))
        assert socket.until_result(0, bool) == "secret"
    # The site's own page calls the API, which is on another port.
    assert fetch(app.url, "GET", "/version", Origin=app.site_url)[0] == 200


def test_the_developer_is_told_once(app: ServerProcess) -> None:
    for _ in range(3):
        fetch(app.url, "GET", "/version", Origin="https://once.example")
    assert app.errors().count("https://once.example") == 2  # what was refused, and the flag


def test_production_serves_its_own_pages_and_named_ones(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        local = f"http://127.0.0.1:{free.getsockname()[1]}"
    origins = ("--origin", "https://api.example.com", "--allow-origin", "https://app.example")
    server = ProductionServer(tmp_path / "data", "--port", local.rpartition(":")[2], *origins)
    try:
        for page, status in {"https://api.example.com": 200, "https://app.example": 200, EVIL: 403}.items():
            assert fetch(local, "GET", "/version", Origin=page)[0] == status
            assert fetch(local, "GET", "/version", Host="api.example.com", Origin=page)[0] == status
        assert fetch(local, "GET", "/version", Host="evil.example")[0] == 403
    finally:
        server.close()
