"""HTTP actions byte by byte: responses without a body, addresses as they were sent, forms, CORS on errors, proxies."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from support.processes import ServerProcess
from support.production import ProductionServer

HTTP = """
from convexpy import JSONResponse, PlainTextResponse, Response, StreamingResponse, http_router

http = http_router()
http.cors("/shared/", origins=["https://app.test"])

@http.route(path_prefix="/status/", method="GET")
async def status(ctx, request):
    code = int(request.path_params.get("code") or request.url.path.rpartition("/")[2])
    if request.url.query == "stream":
        async def parts():
            yield b"a body that must not be sent"
        return StreamingResponse(parts(), status_code=code)
    return Response(b"a body that must not be sent", status_code=code, headers={"x-mine": "kept", "etag": '"1"'})

@http.route("/options", method="OPTIONS")
async def options(ctx, request):
    return Response(status_code=204, headers={"access-control-allow-origin": "*", "content-length": "0"})

@http.route(path_prefix="/where/", method="GET")
async def where(ctx, request):
    return JSONResponse({
        "url": str(request.url), "path": request.scope["path"], "raw": request.scope["raw_path"].decode("latin-1"),
        "client": ctx.meta.client_address,
    })

@http.route("/form", method="POST")
async def form(ctx, request):
    async with request.form() as form:
        found = {}
        for name, value in form.multi_items():
            found[name] = value if isinstance(value, str) else [value.filename, value.content_type, (await value.read()).decode()]
        return JSONResponse(found)

@http.route("/shared/fails", methods=["GET", "POST"])
async def fails(ctx, request):
    await request.body()
    raise ValueError("no")
"""


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    server = ServerProcess(tmp_path_factory.mktemp("wire") / "data", "--allow-origin", "https://app.test")
    try:
        server.push_ok({"http.py": HTTP})
        yield server
    finally:
        server.close()


def sent(app: ServerProcess, request: bytes, *, main: bool = False) -> bytes:
    """Return all that the server answers to requests of which the last one closes the connection."""
    port = urlsplit(app.url if main else app.site_url).port
    received = b""
    with socket.create_connection(("127.0.0.1", port), timeout=200) as connection:
        connection.sendall(request)
        while part := connection.recv(65536):
            received += part
    return received


def get(path: str, *headers: str, method: str = "GET", close: bool = True) -> bytes:
    lines = [
        f"{method} {path} HTTP/1.1",
        "Host: localhost",
        *headers,
        *(["Connection: close"] if close else []),
    ]
    return "\r\n".join([*lines, "", ""]).encode()


@pytest.mark.parametrize("main", [False, True])
@pytest.mark.parametrize(
    "request_line", [("GET", "/status/204"), ("GET", "/status/304"), ("GET", "/status/204?stream"), ("GET", "/status/304?stream"),
                     ("OPTIONS", "/options"), ("HEAD", "/status/304")],
)  # fmt: skip
def test_a_response_that_can_have_no_body_has_none_and_no_length(
    app: ServerProcess, request_line: tuple[str, str], main: bool
) -> None:
    method, path = request_line
    prefix = "/http" if main else ""
    twice = get(prefix + path, method=method, close=False) + get(prefix + "/status/200")
    first, second = sent(app, twice, main=main).lower().split(b"\r\n\r\n", 1)
    assert b"content-length" not in first
    assert b"transfer-encoding" not in first
    assert second.startswith(b"http/1.1 200")  # nothing between the two
    if "stream" not in path and method == "GET":
        assert b"x-mine: kept" in first


def test_a_preflight_has_no_length(app: ServerProcess) -> None:
    asked = ("Origin: https://app.test", "Access-Control-Request-Method: GET")
    answer = sent(app, get("/shared/fails", *asked, method="OPTIONS"))
    assert answer.startswith(b"HTTP/1.1 204")
    assert answer.endswith(b"\r\n\r\n")
    assert b"content-length" not in answer.lower()


@pytest.mark.parametrize(
    ("path", "decoded"),
    [
        ("/where/a%2Fb", "/where/a/b"),
        ("/where/a%20b", "/where/a b"),
        ("/where/a+b%2B?x=%2B+%20&y=a%2fb", "/where/a+b+"),
        ("/where/%D0%BF%D1%83%D1%82%D1%8C", "/where/путь"),
        ("/where/%E9", "/where/\N{REPLACEMENT CHARACTER}"),
        ("/where/x;p=1?a=b?c", "/where/x;p=1"),
        ("/where//double//", "/where//double//"),
        ("/where/%25", "/where/%"),
        ("/where/%3F%23", "/where/?#"),
    ],
)
@pytest.mark.parametrize("main", [False, True])
def test_the_address_is_the_one_that_was_sent(
    app: ServerProcess, path: str, decoded: str, main: bool
) -> None:
    answer = sent(app, get(("/http" if main else "") + path), main=main)
    found = json.loads(answer.partition(b"\r\n\r\n")[2])
    assert (found["url"], found["path"]) == (f"http://localhost{path}", decoded)
    assert found["raw"] == path.partition("?")[0]


def test_forms(app: ServerProcess) -> None:
    answer = app.request(
        "POST",
        "/http/form",
        raw=b"a=1&b=x+y%26",
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )
    assert answer[1] == {"a": "1", "b": "x y&"}
    body = (
        b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--x\r\n'
        b'Content-Disposition: form-data; name="f"; filename="n.txt"\r\nContent-Type: text/plain\r\n\r\n'
        + b"y" * 100_000 + b"\r\n--x--\r\n"
    )  # fmt: skip
    answer = app.request(
        "POST", "/http/form", raw=body, headers={"Content-Type": "multipart/form-data; boundary=x"}
    )
    assert answer[1] == {"a": "1", "f": ["n.txt", "text/plain", "y" * 100_000]}


def test_a_page_can_read_why_a_call_failed(app: ServerProcess) -> None:
    origin = {"Origin": "https://app.test"}
    too_large = {"Content-Length": str(10**9)}
    for method, path, headers, status in (
        ("GET", "/http/shared/fails", {}, 500),
        ("GET", "/http/shared/nowhere", {}, 404),
        ("POST", "/http/shared/fails", too_large, 413),
        ("TRACE", "/http/shared/fails", {}, 405),
    ):
        answer = app.request(method, path, headers={**origin, **headers})
        assert answer[0] == status
        assert (answer[2].get("access-control-allow-origin"), answer[2].get("vary")) == (
            "https://app.test",
            "origin",
        )
    assert "access-control-allow-origin" not in app.request("GET", "/http/shared/fails")[2]
    assert "access-control-allow-origin" not in app.request("GET", "/http/where/x", headers=origin)[2]


def test_forwarded_headers_count_from_proxies_that_are_named(tmp_path: Path) -> None:
    def seen(server: ServerProcess, **headers: str) -> tuple[str, str]:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        found = server.request("GET", "/http/where/x", headers=given)[1]
        return urlsplit(found["url"]).scheme, found["client"]

    forged = {"X_Forwarded_For": "1.1.1.1, 203.0.113.9", "X_Forwarded_Proto": "https"}
    server = ProductionServer(tmp_path / "none")
    try:
        server.push_ok({"http.py": HTTP})
        assert seen(server, **forged) == ("http", "127.0.0.1")
        assert seen(server, Forwarded="for=1.1.1.1;proto=https") == ("http", "127.0.0.1")
    finally:
        server.close()
    server = ProductionServer(tmp_path / "named", "--trusted-proxy", "127.0.0.1")
    try:
        server.push_ok({"http.py": HTTP})
        assert seen(server, **forged) == ("https", "203.0.113.9")
        assert seen(server, Forwarded="for=1.1.1.1;proto=https") == ("https", "127.0.0.1")
        assert seen(server, X_Forwarded_For="nonsense", X_Forwarded_Proto="javascript") == (
            "http",
            "127.0.0.1",
        )
    finally:
        server.close()
