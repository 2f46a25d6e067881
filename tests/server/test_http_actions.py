"""HTTP actions over real connections: routes, bodies and responses in parts, limits, clients that go away, proxies."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from support.processes import ServerProcess, wait_for

MIB = 1024 * 1024
HTTP = """
import asyncio, hashlib
from convexpy import ConvexError, JSONResponse, PlainTextResponse, Response, StreamingResponse, http_router

http = http_router()
http.cors("/shared/", origins=["https://app.test"], headers=["content-type", "x-mine"], max_age=60)

@http.route("/exact", method="GET")
async def exact(ctx, request):
    return PlainTextResponse("exact")

@http.route(path_prefix="/files/", methods=["GET", "DELETE"])
async def files(ctx, request):
    return JSONResponse({"method": request.method, "path": request.url.path, "query": request.url.query})

@http.route(path_prefix="/files/deep/", method="GET")
async def deep(ctx, request):
    return PlainTextResponse("deep")

@http.route("/shared/save", method="POST")
async def shared(ctx, request):
    return JSONResponse(await request.json())

@http.route("/url", method="GET")
async def url(ctx, request):
    return PlainTextResponse(str(request.url))

@http.route("/hash", method="POST")
async def hash(ctx, request):
    digest, parts, size = hashlib.sha256(), 0, 0
    async for part in request.stream():
        digest.update(part)
        size += len(part)
        parts += 1
    return JSONResponse({"sha256": digest.hexdigest(), "parts": parts, "size": size})

@http.route("/first-part", method="POST")
async def first_part(ctx, request):
    async for part in request.stream():
        return PlainTextResponse(part[:5])

@http.route("/ticks", method="GET")
async def ticks(ctx, request):
    async def parts():
        for n in range(3):
            if n:
                await ctx.run_mutation("state:wait_is_over", n=n)
                while not await ctx.run_query("state:released", n=n):
                    await asyncio.sleep(0.01)
            yield f"tick {n}\\n"
    return StreamingResponse(parts(), media_type="text/plain")

@http.route("/flood", method="GET")
async def flood(ctx, request):
    async def parts():
        sent = 0
        for _ in range(int(request.query_params["parts"])):
            yield b"x" * 65536
            sent += 1
            if sent % 16 == 0:
                await ctx.run_mutation("state:note", name="flood", n=sent)
    return StreamingResponse(parts(), media_type="application/octet-stream")

@http.route("/endless", method="GET")
async def endless(ctx, request):
    async def parts():
        try:
            yield b"first"
            if request.query_params["how"] == "waits":
                await asyncio.sleep(3600)
            while True:
                yield b"x" * 1000
                await asyncio.sleep(0)
        finally:
            await ctx.run_mutation("state:note", name=request.query_params["name"], n=1)
    return StreamingResponse(parts())

@http.route("/watches", method="POST")
async def watches(ctx, request):
    there = not await request.is_disconnected()
    body = await request.body()
    async def parts():
        yield body
        while not await request.is_disconnected():
            await asyncio.sleep(0.01)
    if request.query_params["how"] == "stream":
        return StreamingResponse(parts())
    await ctx.run_mutation("state:note", name="watched", n=len(body) if there else -1)
    while not await request.is_disconnected():
        await asyncio.sleep(0.01)
    await ctx.run_mutation("state:note", name=request.query_params["name"], n=1)
    return Response(b"")

@http.route("/breaks", method="GET")
async def breaks(ctx, request):
    async def parts():
        yield b"half of it"
        raise ValueError("in the middle")
    return StreamingResponse(parts())

@http.route("/large", method="GET")
async def large(ctx, request):
    return Response(b"x" * int(request.query_params["size"]))

@http.route("/refuses", method="GET")
async def refuses(ctx, request):
    raise ConvexError({"why": "no"})

@http.route("/fails", method="GET")
async def fails(ctx, request):
    raise ValueError("the secret detail")

@http.route("/many", method="GET")
async def many(ctx, request):
    response = PlainTextResponse("many", status_code=207)
    response.set_cookie("a", "1")
    response.set_cookie("b", "2")
    return response
"""
STATE = """
from convexpy import internal_mutation, internal_query, mutation, query

def of(ctx, name):
    return ctx.db.query("state").filter(lambda d: d["name"] == name).first()

@mutation
def note(ctx, name: str, n: int) -> None:
    found = of(ctx, name)
    if found is None:
        ctx.db.insert("state", {"name": name, "n": n})
    else:
        ctx.db.patch(found["_id"], {"n": n})

@query
def value(ctx, name: str):
    found = of(ctx, name)
    return None if found is None else found["n"]

@internal_mutation
def wait_is_over(ctx, n: int) -> None: ...

@internal_query
def released(ctx, n: int) -> bool:
    found = of(ctx, "released")
    return found is not None and found["n"] >= n
"""


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    server = ServerProcess(
        tmp_path_factory.mktemp("http") / "data", "--allow-host", "hooks.example.com",
        "--allow-origin", "https://app.test", "--allow-origin", "https://evil.test",
    )  # fmt: skip
    try:
        server.push_ok({"http.py": HTTP, "state.py": STATE})
        yield server
    finally:
        server.close()


class Site:
    """One connection to the site origin, or to `/http/` of the main one."""

    def __init__(self, server: ServerProcess, *, main: bool = False) -> None:
        port = server.port if main else int(server.site_url.rpartition(":")[2])
        self.prefix = "/http" if main else ""
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=200)

    def __enter__(self) -> Site:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    def ask(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> http.client.HTTPResponse:
        self.connection.request(method, self.prefix + path, body=body, headers=headers or {})
        return self.connection.getresponse()


@pytest.fixture(params=["site origin", "main origin"])
def site(request: pytest.FixtureRequest, app: ServerProcess) -> Iterator[Site]:
    with Site(app, main=request.param == "main origin") as opened:
        yield opened


def body_of(response: http.client.HTTPResponse) -> Any:
    return json.loads(response.read())


@pytest.mark.parametrize(
    ("method", "path", "status", "body"),
    [
        ("GET", "/exact", 200, b"exact"),
        ("GET", "/exact?query=1", 200, b"exact"),
        ("HEAD", "/exact", 200, b""),
        ("GET", "/exact/", 404, b"No matching routes found"),
        ("GET", "/Exact", 404, b"No matching routes found"),
        ("POST", "/exact", 404, b"No matching routes found"),
        ("OPTIONS", "/exact", 404, b"No matching routes found"),
        ("GET", "/files", 404, b"No matching routes found"),
        ("GET", "/files/deep/x", 200, b"deep"),
        ("TRACE", "/exact", 405, None),
    ],
)
def test_routes(site: Site, method: str, path: str, status: int, body: bytes | None) -> None:
    response = site.ask(method, path)
    content = response.read()
    assert response.status == status
    assert body is None or content == body
    assert response.getheader("access-control-allow-origin") is None
    if status == 404:
        assert response.getheader("content-type") == "text/plain; charset=utf-8"


def test_the_longest_prefix_of_the_method_answers(site: Site) -> None:
    answer = body_of(site.ask("DELETE", "/files/deep/a%20b?x=1&y=2"))
    assert answer == {"method": "DELETE", "path": "/files/deep/a b", "query": "x=1&y=2"}


def test_several_headers_of_one_name_and_any_status(site: Site) -> None:
    response = site.ask("GET", "/many")
    assert (response.status, response.read()) == (207, b"many")
    assert len([value for name, value in response.getheaders() if name.lower() == "set-cookie"]) == 2


@pytest.mark.parametrize(
    ("headers", "scheme"),
    [
        ({}, "http"),
        ({"X-Forwarded-Proto": "https"}, "https"),
        ({"X-Forwarded-Proto": "https, http"}, "https"),
        ({"Forwarded": "for=1.2.3.4;proto=https;by=5.6.7.8"}, "https"),
        ({"Forwarded": 'for="[::1]"; proto="https"'}, "https"),
        ({"Forwarded": "for=proto"}, "http"),
    ],
)
def test_the_url_is_the_one_that_the_client_used(site: Site, headers: dict[str, str], scheme: str) -> None:
    response = site.ask("GET", "/url?a=b", headers={"Host": "hooks.example.com", **headers})
    assert response.read().decode() == f"{scheme}://hooks.example.com/url?a=b"


def test_cors_is_for_the_paths_that_the_app_names(site: Site) -> None:
    preflight = {"Origin": "https://app.test", "Access-Control-Request-Method": "POST"}
    response = site.ask("OPTIONS", "/shared/save", headers=preflight)
    response.read()
    assert response.status == 204
    assert response.getheader("access-control-allow-origin") == "https://app.test"
    assert response.getheader("access-control-allow-methods") == "POST"
    assert response.getheader("access-control-max-age") == "60"
    response = site.ask("OPTIONS", "/shared/save", headers={**preflight, "Origin": "https://evil.test"})
    response.read()
    assert (response.status, response.getheader("access-control-allow-origin")) == (403, None)
    response = site.ask("POST", "/shared/save", json.dumps({"a": 1}), {"Origin": "https://app.test"})
    assert body_of(response) == {"a": 1}
    assert response.getheader("access-control-allow-origin") == "https://app.test"


# Bodies and responses in parts


@pytest.mark.parametrize("size", [0, 1, 65_536, 65_537, 3 * MIB, 20 * MIB])
@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_arrives_whole_whatever_its_size(site: Site, size: int, chunked: bool) -> None:
    import hashlib

    data = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    body = iter([data[start : start + 100_000] for start in range(0, size, 100_000)]) if chunked else data
    headers = {"Transfer-Encoding": "chunked"} if chunked else {}
    site.connection.request("POST", site.prefix + "/hash", body=body, headers=headers, encode_chunked=chunked)
    answer = body_of(site.connection.getresponse())
    assert (answer["size"], answer["sha256"]) == (size, hashlib.sha256(data).hexdigest())
    if size > MIB:
        assert answer["parts"] > 2


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_over_the_limit_is_413(site: Site, chunked: bool) -> None:
    part = b"x" * MIB
    body = iter([part] * 21)
    headers = {"Transfer-Encoding": "chunked"} if chunked else {"Content-Length": str(21 * MIB)}
    with contextlib.suppress(
        BrokenPipeError, ConnectionResetError
    ):  # the answer may come before all was sent
        site.connection.request(
            "POST", site.prefix + "/hash", body=body, headers=headers, encode_chunked=chunked
        )
    response = site.connection.getresponse()
    assert response.status == 413
    assert body_of(response)["code"] == "RequestBodyTooLarge"


def test_an_app_need_not_read_all_of_a_body(site: Site) -> None:
    response = site.ask("POST", "/first-part", b"12345" + b"x" * MIB)
    assert response.read() == b"12345"


def test_parts_of_a_response_arrive_as_they_are_made(app: ServerProcess, site: Site) -> None:
    app.call("mutation", "state:note", name="released", n=0)
    response = site.ask("GET", "/ticks")
    assert response.getheader("transfer-encoding") == "chunked"
    for n in range(3):
        assert response.readline() == f"tick {n}\n".encode()
        app.call("mutation", "state:note", name="released", n=n + 1)
    assert response.read() == b""


def test_a_streamed_response_to_head_has_no_body(site: Site) -> None:
    response = site.ask("HEAD", "/flood?parts=4")
    assert (response.status, response.read()) == (200, b"")
    assert site.ask("GET", "/exact").read() == b"exact"


def test_a_response_that_nobody_reads_is_not_made_ahead(app: ServerProcess) -> None:
    app.call("mutation", "state:note", name="flood", n=0)
    port = int(app.site_url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 262_144)
        connection.sendall(b"GET /flood?parts=300 HTTP/1.1\r\nHost: localhost\r\n\r\n")
        connection.recv(1)
        seen: list[Any] = []

        def stands_still() -> bool:
            seen.append(app.call("query", "state:value", name="flood"))
            return len(seen) > 40 and len(set(seen[-40:])) == 1

        wait_for(stands_still, what="a stop")
        made = seen[-1]
        assert made * 65_536 < 19 * MIB, "it ran on although nobody read"
        size = 0
        while size < 300 * 65_536:
            size += len(connection.recv(MIB))
    assert size >= 300 * 65_536


def test_a_response_over_the_limit_is_cut_or_refused(site: Site) -> None:
    response = site.ask("GET", f"/large?size={20 * MIB}")
    assert len(response.read()) == 20 * MIB
    response = site.ask("GET", f"/large?size={20 * MIB + 1}")
    assert response.status == 500
    assert "http_body_bytes" in body_of(response)["code"]
    response = site.ask("GET", "/flood?parts=321")
    with pytest.raises((http.client.IncompleteRead, ConnectionResetError)):
        response.read()


def test_a_response_that_fails_half_way_is_not_taken_for_the_whole(site: Site) -> None:
    response = site.ask("GET", "/breaks")
    assert response.status == 200
    with pytest.raises((http.client.IncompleteRead, ConnectionResetError)):
        response.read()


def test_a_client_that_goes_away_disturbs_nobody(app: ServerProcess) -> None:
    port = int(app.site_url.rpartition(":")[2])
    for request in (
        b"GET /flood?parts=300 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"POST /hash HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10000000\r\n\r\nonly this",
        b"POST /hash HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nonly ",
    ):
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(request)
            if request.startswith(b"GET"):
                connection.recv(1)
    with Site(app) as site:
        assert site.ask("GET", "/exact").read() == b"exact"
    assert app.process.poll() is None


@pytest.mark.parametrize("how", ["waits", "goes on"])
@pytest.mark.parametrize("origin", ["site", "main"])
def test_a_stream_ends_with_its_client(app: ServerProcess, how: str, origin: str) -> None:
    name = f"closed, {how}, {origin}"
    with Site(app, main=origin == "main") as site:
        response = site.ask("GET", f"/endless?how={quote(how)}&name={quote(name)}")
        assert response.read(5) == b"first"
        assert app.call("query", "state:value", name=name) is None
        assert site.connection.sock is not None
        site.connection.sock.shutdown(socket.SHUT_RDWR)
        response.close()
    wait_for(lambda: app.call("query", "state:value", name=name), what="the generator closed")


def test_a_stream_does_not_begin_for_a_client_that_asks_for_the_head(app: ServerProcess, site: Site) -> None:
    response = site.ask("HEAD", "/endless?how=waits&name=head")
    assert (response.status, response.read()) == (200, b"")
    wait_for(lambda: app.call("query", "state:value", name="head"), what="the generator closed")
    assert site.ask("GET", "/exact").read() == b"exact"


@pytest.mark.parametrize("body", [b"", b"x" * 100, b"x" * 200_000])
def test_a_handler_can_ask_whether_its_client_is_there(app: ServerProcess, body: bytes) -> None:
    name = f"gone, {len(body)}"
    port = int(app.site_url.rpartition(":")[2])
    head = f"POST /watches?how=plain&name={quote(name)} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
    app.call("mutation", "state:note", name="watched", n=-2)
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(head.encode() + body)
        wait_for(lambda: app.call("query", "state:value", name="watched") == len(body), what="the body read")
        assert app.call("query", "state:value", name=name) is None
    wait_for(lambda: app.call("query", "state:value", name=name), what="the handler told")


# Failures


def test_a_handler_that_raises_is_500_with_the_data_of_a_convex_error(site: Site) -> None:
    response = site.ask("GET", "/refuses")
    answer = body_of(response)
    assert (response.status, answer["data"]) == (500, {"why": "no"})
    answer = body_of(site.ask("GET", "/fails", headers={"Convex-Request-Id": "0123456789abcdef"}))
    assert answer["code"].startswith("[Request ID: 0123456789abcdef] Server Error")
    assert "ValueError: the secret detail" in answer["code"]
    assert "http.py" in answer["trace"]


def test_production_hides_the_text_of_a_failure(start_server: Any) -> None:
    server: ServerProcess = start_server("--redact-errors")
    server.push_ok({"http.py": HTTP, "state.py": STATE})
    with Site(server) as site:
        response = site.ask("GET", "/fails")
        text = response.read().decode()
        assert response.status == 500
        assert "secret detail" not in text
        assert set(json.loads(text)) == {"code"}
        assert body_of(site.ask("GET", "/refuses"))["data"] == {"why": "no"}


def test_a_deployment_without_http_actions_says_so(server: ServerProcess) -> None:
    with Site(server) as site:
        response = site.ask("GET", "/anything")
        assert (response.status, response.read()) == (
            404,
            b"This Convex deployment does not have HTTP actions enabled.",
        )
