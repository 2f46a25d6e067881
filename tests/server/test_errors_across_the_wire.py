"""What a client learns of a failure, by every way to call a function: data of a ConvexError always, texts in development.

One table of paths runs in both modes of the server. Whatever the client is told has an id by which the log finds it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.processes import ROOT, ServerProcess, wait_for
from support.sockets import SyncSocket, add

APP = """
from dataclasses import dataclass

from convexpy import ConvexError, Int64, action, internal_query, mutation, query

class Refused(ConvexError):
    pass

@dataclass
class Model:
    n: int
    pair: tuple

DATA = {
    "dict": {"code": 7, "deep": [{"text": "ä", "none": None}], "big": Int64(2**60), "bytes": b"x", "half": 0.5},
    "null": None,
    "text": "only text",
    "list": [1, [2, []]],
    "nan": float("nan"),
    "false": False,
    "model": Model(7, (1.0, 2)),
}

def refuse(what):
    print("about to refuse", what)
    raise Refused(DATA[what]) if what == "text" else ConvexError(DATA[what])

@query
def q(ctx, what: str):
    refuse(what)

@mutation
def m(ctx, what: str):
    ctx.db.insert("traces", {"what": what})
    refuse(what)

@action
async def a(ctx, what: str):
    refuse(what)

@action
def plain_a(ctx, what: str):
    refuse(what)

@query
def q_in_q(ctx, what: str):
    ctx.run_query(q, what=what)

@mutation
def m_in_m(ctx, what: str):
    ctx.run_mutation(m, what=what)

@mutation
def q_in_m(ctx, what: str):
    ctx.run_query(q_in_q, what=what)

@action
async def q_in_a(ctx, what: str):
    await ctx.run_query(q_in_q, what=what)

@action
async def m_in_a(ctx, what: str):
    await ctx.run_mutation(m_in_m, what=what)

@action
async def a_in_a(ctx, what: str):
    await ctx.run_action(plain_a, what=what)

@action
def all_in_plain_a(ctx, what: str):
    ctx.run_action(m_in_a, what=what)

@mutation
def catches(ctx, what: str):
    # The same object comes out of a nested call, and what that wrote is undone.
    try:
        ctx.run_mutation(m_in_m, what=what)
    except ConvexError as error:
        ctx.db.insert("caught", {"data": None})
        raise ConvexError(error.data) from None

@action
async def catches_in_a(ctx, what: str):
    try:
        await ctx.run_mutation(m_in_m, what=what)
    except ConvexError as error:
        raise ConvexError(error.data) from None

@query
def traces(ctx) -> list[int]:
    return [ctx.db.query("traces").count(), ctx.db.query("caught").count()]

# Failures of other kinds

@query
def plain_q(ctx):
    print("a secret line")
    raise ValueError("a secret text")

@mutation
def plain_m(ctx):
    ctx.run_query(plain_q)

@action
async def plain_in_a(ctx):
    await ctx.run_mutation(plain_m)

@query
def no_data(ctx):
    raise ConvexError({1, 2})

@query
def wrong_result(ctx) -> int:
    return "a secret text"

@query
def typed(ctx, n: int):
    return n

@internal_query
def hidden(ctx):
    return 1

@query
def page(ctx, cursor: str):
    return dict(ctx.db.query("traces").paginate({"numItems": 1, "cursor": cursor}))

@action
async def page_in_a(ctx, cursor: str):
    return await ctx.run_query(page, cursor=cursor)
"""
HTTP = """
from convexpy import http_router

from .fn import m_in_m, refuse

http = http_router()

@http.route("/refuse", method="POST")
async def refuses(ctx, request):
    refuse("dict")

@http.route("/nested", method="POST")
async def nested(ctx, request):
    await ctx.run_mutation(m_in_m, what="dict")

@http.route("/plain", method="POST")
async def plain(ctx, request):
    print("a secret line")
    raise ValueError("a secret text")
"""
ENCODED: dict[str, Any] = {
    "dict": {
        "code": 7,
        "deep": [{"text": "ä", "none": None}],
        "big": {"$integer": "AAAAAAAAABA="},
        "bytes": {"$bytes": "eA=="},
        "half": 0.5,
    },
    "null": None,
    "text": "only text",
    "list": [1, [2, []]],
    "nan": {"$float": "AAAAAAAA+H8="},
    "false": False,
    "model": {"n": 7, "pair": [1, 2]},
}
CLEAN: dict[str, Any] = {
    **ENCODED,
    "dict": {**ENCODED["dict"], "big": "1152921504606846976", "bytes": "eA=="},
    "nan": "NaN",
}
PATHS = {
    "query": ["q", "q_in_q"],
    "mutation": ["m", "m_in_m", "q_in_m", "catches"],
    "action": ["a", "plain_a", "q_in_a", "m_in_a", "a_in_a", "all_in_plain_a", "catches_in_a"],
}


@pytest.fixture(scope="module", params=["development", "production"])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServerProcess]:
    options = ("--redact-errors",) if request.param == "production" else ()
    with contextlib.closing(ServerProcess(tmp_path_factory.mktemp("errors") / "data", *options)) as running:
        running.push_ok({"fn.py": APP, "http.py": HTTP})
        yield running


@pytest.fixture
def redacted(request: pytest.FixtureRequest, server: ServerProcess) -> bool:
    return "production" in request.node.callspec.id


def check_text(text: str, redacted: bool, *says: str) -> str:
    """Check the text of a failure; return its request id."""
    first, _, rest = text.partition("\n")
    assert first.startswith("[Request ID: ")
    assert first.endswith("] Server Error")
    assert (rest == "") is redacted, text
    for one in says:
        assert redacted or one in rest, text
    return first.removeprefix("[Request ID: ").removesuffix("] Server Error")


def logged(server: ServerProcess, request_id: str) -> list[dict[str, Any]]:
    """Return the log's entries of a request."""

    def find() -> list[dict[str, Any]]:
        _, answer, _ = server.request("GET", "/api/stream_function_logs?cursor=0.001", admin=True)
        return [entry for entry in answer["entries"] if entry["requestId"] == request_id]

    found: list[dict[str, Any]] = wait_for(find, what=f"an entry of {request_id}")
    return found


@pytest.mark.parametrize("what", list(ENCODED))
@pytest.mark.parametrize("format", [None, "convex_encoded_json"])
def test_data_comes_by_every_path_over_http(
    server: ServerProcess, redacted: bool, what: str, format: str | None
) -> None:
    expected = (ENCODED if format == "convex_encoded_json" else CLEAN)[what]
    for kind, names in PATHS.items():
        for name in names:
            body = {"path": f"fn:{name}", "args": {"what": what}, **({"format": format} if format else {})}
            status, answer, _ = server.request("POST", f"/api/{kind}", body)
            assert (status, answer["status"]) == (200, "error")
            assert answer["errorData"] == expected, name
            assert type(answer["errorData"]) is type(expected)
            check_text(answer["errorMessage"], redacted, "Uncaught ", "at ")
            assert answer["logLines"] == [] or not redacted
    assert server.call("query", "fn:traces") == [0, 0]


@pytest.mark.parametrize("what", list(ENCODED))
def test_data_comes_by_every_path_over_a_socket(server: ServerProcess, redacted: bool, what: str) -> None:
    with SyncSocket(server.url) as client:
        client.modify(*[add(n, f"fn:{name}", what=what) for n, name in enumerate(PATHS["query"])])
        client.transition()
        for n in range(len(PATHS["query"])):
            failed = client.results[n]
            assert failed["type"] == "QueryFailed"
            assert failed["errorData"] == ENCODED[what]
            check_text(failed["errorMessage"], redacted, "Uncaught ")
            assert failed["logLines"] == ([] if redacted else [f"[LOG] about to refuse {what}"])
        request = 0
        for kind in ("mutation", "action"):
            for name in PATHS[kind]:
                (client.mutation if kind == "mutation" else client.action)(request, f"fn:{name}", what=what)
                response = client.response(request)
                assert response["success"] is False
                assert response["errorData"] == ENCODED[what]
                found = check_text(response["result"], redacted, "Uncaught ")
                assert found == hashlib.sha256(f"{client.session}|{request}".encode()).hexdigest()[:16]
                assert response["logLines"] == [] or not redacted
                request += 1


@pytest.mark.parametrize(
    ("kind", "path", "args", "says"),
    [
        ("query", "fn:plain_q", {}, "Uncaught ValueError: a secret text\n    at plain_q (convex/fn.py:"),
        ("mutation", "fn:plain_m", {}, "a secret text"),
        ("action", "fn:plain_in_a", {}, "a secret text"),
        ("query", "fn:no_data", {}, "the data of ConvexError cannot be sent: unsupported value at $: set"),
        ("query", "fn:wrong_result", {}, "ReturnsValidationError: "),
        ("query", "fn:typed", {"n": "text"}, "ArgumentValidationError: "),
        ("query", "fn:nope", {}, "Could not find public function for 'fn:nope'"),
        ("query", "fn:hidden", {}, "Could not find public function for 'fn:hidden'"),
        ("mutation", "fn:typed", {"n": 1}, "as Mutation, but it is defined as Query"),
    ],
)
def test_other_failures_have_no_data_and_their_text_only_in_development(
    server: ServerProcess, redacted: bool, kind: str, path: str, args: dict[str, Any], says: str
) -> None:
    answer = server.failure(kind, path, **args)
    assert "errorData" not in answer
    assert "a secret" not in json.dumps(answer) or not redacted
    request_id = check_text(answer["errorMessage"], redacted, says)
    # The log has it in full in either mode.
    entry = logged(server, request_id)[-1]
    said = "Value does not match validator" if says.endswith("ValidationError: ") else says
    assert said.removeprefix("Uncaught ").split("\n")[0] in entry["error"]
    with SyncSocket(server.url) as client:
        if kind == "query":
            client.modify(add(0, path, **args))
            client.transition()
            failed, text = client.results[0], client.results[0]["errorMessage"]
        else:
            (client.mutation if kind == "mutation" else client.action)(3, path, **args)
            failed = client.response(3)
            text = failed["result"]
        assert "errorData" not in failed
        assert "a secret" not in json.dumps(failed) or not redacted
        assert logged(server, check_text(text, redacted, says))


def test_a_foreign_cursor_is_told_by_its_data_in_either_mode(server: ServerProcess, redacted: bool) -> None:
    for kind, path in (("query", "fn:page"), ("action", "fn:page_in_a")):
        answer = server.failure(kind, path, cursor="nonsense")
        assert answer["errorData"] == {"isConvexSystemError": True, "paginationError": "InvalidCursor"}
        check_text(answer["errorMessage"], redacted, "InvalidCursor: Tried to run a query")


@pytest.mark.parametrize("path", ["/refuse", "/nested", "/plain"])
def test_a_failed_http_action_is_a_500_with_the_data(
    server: ServerProcess, redacted: bool, path: str
) -> None:
    status, answer, _ = server.request("POST", f"/http{path}")
    assert status == 500
    assert answer.get("data") == (None if path == "/plain" else ENCODED["dict"])
    assert ("trace" in answer) is not redacted
    request_id = answer["code"].removeprefix("[Request ID: ").partition("]")[0]
    assert answer["code"].startswith(f"[Request ID: {request_id}] Server Error")
    assert answer["code"].endswith("Server Error") is redacted
    assert "a secret" not in json.dumps(answer) or not redacted
    assert logged(server, request_id)


def test_a_client_may_give_its_request_an_id(server: ServerProcess) -> None:
    headers = {"Convex-Request-Id": "the-clients-own"}
    for path, body in (
        ("/api/query", {"path": "fn:plain_q", "args": {}}),
        ("/api/mutation", {"path": "fn:plain_m", "args": {}}),
        ("/api/action", {"path": "fn:plain_in_a", "args": {}}),
        ("/api/run/fn/plain_q", {"args": {}}),
        ("/api/query_batch", {"queries": [{"path": "fn:plain_q", "args": {}}]}),
    ):
        status, answer, _ = server.request("POST", path, body, headers=headers)
        assert status == 200, answer
        answer = answer["results"][0] if "results" in answer else answer
        assert answer["errorMessage"].startswith("[Request ID: the-clients-own] Server Error"), path
    assert len(logged(server, "the-clients-own")) >= 5


def test_the_id_in_the_clients_text_is_found_on_the_command_line(
    server: ServerProcess, redacted: bool, tmp_path: Path
) -> None:
    (tmp_path / "convex").mkdir()
    texts = [server.failure("query", "fn:plain_q")["errorMessage"]]
    with SyncSocket(server.url) as client:
        client.modify(add(0, "fn:plain_q"))
        client.transition()
        texts.append(client.results[0]["errorMessage"])
        client.action(0, "fn:plain_in_a")
        texts.append(client.response(0)["result"])
    for text in texts:
        request_id = check_text(text, redacted)
        assert logged(server, request_id)
        found = subprocess.run(
            [
                sys.executable, "-m", "convexpy_cli", "logs", "--url", server.url, "--admin-key", "-",
                "--request", request_id, "--no-follow", "--jsonl",
            ],
            input=server.admin_key + "\n",
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT / 'cli'}"},
        )  # fmt: skip
        assert found.returncode == 0, found.stderr
        entries = [json.loads(line) for line in found.stdout.splitlines()]
        assert {entry["requestId"] for entry in entries} == {request_id}
        assert any("a secret text" in json.dumps(entry["error"]) for entry in entries)
