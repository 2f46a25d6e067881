"""What somebody without a key can make a server parse, keep and count: little."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from support.processes import ServerProcess
from support.sockets import SyncSocket

APP = """
import time
from convexpy import action, mutation, query

@action
def sleep(ctx) -> None:
    time.sleep(3)

@action
def plain(ctx) -> int:
    return 1

@query
def one(ctx) -> int:
    return 1

@mutation
def request_id(ctx) -> str:
    return ctx.meta.request_id
"""
HTTP = """
from convexpy import PlainTextResponse, http_router

http = http_router()

@http.route(path_prefix="/any/", method="GET")
async def any(ctx, request):
    return PlainTextResponse("any")
"""
MIB = 1024 * 1024


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    server = ServerProcess(tmp_path_factory.mktemp("bounds") / "data")
    try:
        server.push_ok({"fn.py": APP, "http.py": HTTP})
        yield server
    finally:
        server.close()


def error_of(app: ServerProcess, path: str, body: Any, **headers: str) -> tuple[int, str, str]:
    status, answer, _ = app.request("POST", path, body, headers=headers)
    return status, answer["code"], answer["message"]


@pytest.mark.parametrize("kind", ["query", "mutation", "action", "function", "query_batch", "run"])
def test_a_path_of_any_length_is_refused_at_once_and_not_repeated(app: ServerProcess, kind: str) -> None:
    path = "a/" * (4 * MIB)
    started = time.monotonic()
    call = {"path": path, "args": {}}
    if kind == "run":
        status, _, text = error_of(app, f"/api/run/{'a/' * 400}fn", {})
    else:
        status, _, text = error_of(
            app, f"/api/{kind}", {"queries": [call]} if kind == "query_batch" else call
        )
    assert status == (403 if kind == "function" else 400)
    assert len(text) < 300
    assert time.monotonic() - started < 20


def test_calls_of_what_does_not_exist_are_not_counted(app: ServerProcess) -> None:
    app.call("query", "fn:one")
    for number in range(3):
        app.failure("query", f"fn:missing{number}")
        assert app.request("GET", f"/http/nowhere/{number}")[0] == 404
        assert app.request("GET", f"/http/any/{number}")[0] == 200
    with SyncSocket(app.url) as client:
        client.subscribe(0, "no:where")
        client.mutation(0, "no:where")
        client.response(0)
    counted = app.request("GET", "/api/convexpy/functions/stats", admin=True)[1]["functions"]
    assert {each["path"]: each["calls"] for each in counted} == {"fn:one": 1, "GET /any/*": 3}


def test_a_request_id_is_taken_if_it_is_one(app: ServerProcess) -> None:
    for given, taken in {
        "abc-123_x.y:z/=+": True,
        "x" * 129: False,
        "x" * 10_000: False,
        "a b": False,
        "é": False,
    }.items():
        app.request(
            "POST", "/api/query", {"path": "fn:missing", "args": {}}, headers={"Convex-Request-Id": given}
        )
        entries = app.request("GET", "/api/convexpy/logs", admin=True)[1]["entries"]
        id = entries[-1]["requestId"]
        assert (id == given) is taken
        assert len(id) <= 128


def test_a_batch_has_a_bound(app: ServerProcess) -> None:
    call = {"path": "fn:one", "args": {}}
    status, answer, _ = app.request("POST", "/api/query_batch", {"queries": [call] * 256})
    assert (status, len(answer["results"])) == (200, 256)
    status, code, _ = error_of(app, "/api/query_batch", {"queries": [call] * 257})
    assert (status, code) == (400, "TooManyQueries")
    assert error_of(app, "/api/query_batch", {"queries": [call, {"path": 7}]})[0] == 400


def test_the_echo_is_small(app: ServerProcess) -> None:
    assert app.request("POST", "/echo", raw=b"x" * (4 * MIB))[0] == 200
    assert app.request("POST", "/echo", raw=b"x" * (4 * MIB + 1))[0] == 413


def test_a_body_that_says_it_is_too_large_is_not_read(app: ServerProcess) -> None:
    status, code, _ = error_of(app, "/api/query", None, **{"Content-Length": str(10**12)})
    assert (status, code) == (413, "RequestBodyTooLarge")


def test_answers_to_what_cannot_be_parsed_are_short(app: ServerProcess) -> None:
    long = "x" * MIB
    for path, body in {
        "/api/query": {"path": "fn:one", "args": {}, "format": long},
        "/api/mutation": {"path": long, "args": {}},
        "/api/query_at_ts": {"path": "fn:one", "args": {}, "ts": long},
        f"/api/{long[:8000]}": {},
    }.items():
        status, answer, _ = app.request("POST", path, body)
        assert status == 400
        assert len(json.dumps(answer)) < 500


def test_one_client_leaves_threads_for_the_actions_of_others(app: ServerProcess) -> None:
    with SyncSocket(app.url) as greedy, SyncSocket(app.url) as other:
        for number in range(500):
            greedy.action(number, "fn:sleep")
        other.action(0, "fn:plain")
        assert other.response(0)["success"]
        greedy.action(500, "fn:sleep")
        assert greedy.until_closed() == (1013, "TooManyConcurrentActions")
        assert all(each["success"] for each in greedy.received if each["type"] == "ActionResponse")
