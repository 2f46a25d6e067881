"""Halves of surrogate pairs in what app code raises, prints, logs and returns: escaped, and the call ends at once."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from support.processes import ServerProcess

BAD = "a\\ud800b"
APP = """
import logging
from convexpy import ConvexError, action, mutation, query

BAD = "a\\ud800b"

class Odd(Exception):
    def __str__(self):
        raise SystemExit("no text")

class Noted(Exception):
    __notes__ = 7

def does(what, ctx):
    if what == "raise": raise ValueError(BAD)
    if what == "data": raise ConvexError(BAD)
    if what == "data_key": raise ConvexError({BAD: 1})
    if what == "cause": raise ValueError("outer") from KeyError(BAD)
    if what == "note":
        error = ValueError("noted")
        error.add_note(BAD)
        raise error
    if what == "odd": raise Odd
    if what == "noted": raise Noted("noted")
    if what == "print": print(BAD)
    if what == "log": logging.warning(BAD)
    if what == "ctx_log": ctx.log.error("%s", BAD)
    if what == "return": return BAD
    if what == "return_key": return {BAD: 1}
    if what == "return_set": return {BAD, "x"}
    return "done"

@query
def q(ctx, what: str):
    return does(what, ctx)

@mutation
def m(ctx, what: str):
    if what == "insert":
        ctx.db.insert("t", {"a": BAD})
    if what == "get":
        return ctx.db.get(BAD)
    return does(what, ctx)

@action
async def a(ctx, what: str):
    if what == "call":
        await ctx.run_query(BAD, {})
    if what == "arg":
        await ctx.run_query("fn:q", {"what": BAD})
    return does(what, ctx)

@action
def b(ctx, what: str):
    if what == "arg":
        ctx.run_query("fn:q", {"what": BAD})
    return does(what, ctx)
"""
WHAT = [
    "raise", "data", "data_key", "cause", "note", "odd", "noted", "print", "log", "ctx_log", "return", "return_key",
    "return_set", "insert", "get", "call", "arg",
]  # fmt: skip
SUCCEED = ("print", "log", "ctx_log")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    running = ServerProcess(tmp_path_factory.mktemp("surrogates") / "data")
    running.push_ok({"fn.py": APP})
    yield running
    running.close()


@pytest.mark.parametrize("kind", ["query", "mutation", "action", "action in a thread"])
def test_a_lone_surrogate_ends_no_executor(server: ServerProcess, kind: str) -> None:
    path = {"query": "fn:q", "mutation": "fn:m", "action": "fn:a"}.get(kind, "fn:b")
    kind = kind.split()[0]
    log = len(server.errors())
    for what in WHAT:
        started = time.monotonic()
        status, answer, _ = server.request("POST", f"/api/{kind}", {"path": path, "args": {"what": what}})
        took_s = time.monotonic() - started
        assert status == 200, (what, answer)
        if what in SUCCEED:
            assert answer["value"] == "done"
            if kind != "action":
                assert BAD in str(answer["logLines"]).replace("\\\\", "\\")
        elif answer["status"] == "error":
            assert "ended" not in answer["errorMessage"], answer
            if what == "raise":
                assert BAD in str(answer).replace("\\\\", "\\"), answer
        else:
            assert what in ("insert", "get", "call", "arg")
            assert answer["value"] in (None, "done")
        assert took_s < 30, what
    assert "Traceback" not in server.errors()[log:]
    assert "could not run" not in server.errors()[log:]


def test_a_description_with_a_lone_surrogate_is_refused(server: ServerProcess) -> None:
    text = "from convexpy import query, v\n\n@query(args={'a': v.literal('x\\ud800')})\ndef f(ctx, a):\n    pass\n"
    status, answer = server.push({"fn.py": APP, "bad.py": text})
    assert status == 400, answer
    assert "x\\ud800" in str(answer).replace("\\\\", "\\")
