"""What functions may not do, what they say, and how much of it a client is told."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.processes import ServerProcess, wait_for
from support.sockets import SyncSocket

APP = """
import logging
import os
import pathlib
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import urllib.request

from convexpy import ConvexError, action, mutation, query

DEEDS = {
    "connect": lambda place: socket.create_connection(("127.0.0.1", int(place))).close(),
    "resolve": lambda place: socket.getaddrinfo("localhost", 80),
    "url": lambda place: urllib.request.urlopen(f"http://127.0.0.1:{place}/version").read(),
    "run": lambda place: subprocess.run([sys.executable, "-c", ""], check=True),
    "system": lambda place: os.system("true"),
    "fork": lambda place: os.fork() or os._exit(0),
    "open": lambda place: open(place, "w").close(),
    "append": lambda place: open(place, "ab").close(),
    "path": lambda place: pathlib.Path(place).write_text("x"),
    "descriptor": lambda place: os.close(os.open(place, os.O_RDWR | os.O_CREAT)),
    "remove": lambda place: os.remove(place),
    "rename": lambda place: os.rename(place, place + ".new"),
    "mkdir": lambda place: os.mkdir(place),
    "copy": lambda place: shutil.copyfile(__file__, place),
    "sqlite": lambda place: sqlite3.connect(place).close(),
    "temporary": lambda place: tempfile.TemporaryFile().close(),
}

@query
def query_does(ctx, deed: str, place: str):
    DEEDS[deed](place)

@mutation
def mutation_does(ctx, deed: str, place: str):
    ctx.db.insert("deeds", {"deed": deed})
    DEEDS[deed](place)

@action
async def action_does(ctx, deed: str, place: str):
    DEEDS[deed](place)

@action
def plain_action_does(ctx, deed: str, place: str):
    DEEDS[deed](place)

@query
def deeds(ctx):
    return [document["deed"] for document in ctx.db.query("deeds")]

@query
def reads(ctx):
    with open(__file__) as file:
        return file.readline()

def say(ctx):
    print("hello", 42)
    print("two\\nlines")
    print("to stderr", file=sys.stderr)
    logging.getLogger("my.lib").info("from %s", "a library")
    logging.warning("careful")
    ctx.log.debug("details")
    ctx.log.error("went wrong")
    print("no end", end="")

@query
def query_says(ctx):
    say(ctx)

@mutation
def mutation_says(ctx):
    say(ctx)

@action
async def action_says(ctx):
    say(ctx)

@action
def plain_action_says(ctx):
    say(ctx)

@mutation
def says_and_fails(ctx):
    print("before the fall")
    helper()

def helper():
    {}["missing key"]

@query
def chatters(ctx):
    for n in range(300):
        print(n)

@query
def long_line(ctx):
    print("x" * 40_000)

@mutation
def refuses(ctx):
    print("secret reason")
    raise ConvexError({"code": 7, "text": "for the client"})

@query
def chained(ctx):
    try:
        helper()
    except KeyError as error:
        raise ValueError("could not look it up") from error

@query
def library_raises(ctx):
    return int("not a number")

@query
def bad_limit(ctx):
    return ctx.db.query("deeds").take(-1)
"""

SAID = [
    "[LOG] hello 42",
    "[LOG] two",
    "[LOG] lines",
    "[ERROR] to stderr",
    "[INFO] from a library",
    "[WARN] careful",
    "[DEBUG] details",
    "[ERROR] went wrong",
    "[LOG] no end",
]
NETWORK = ["connect", "resolve", "url"]
PROCESSES = ["run", "system", "fork"]
FILES = ["open", "append", "path", "descriptor", "remove", "rename", "mkdir", "copy", "sqlite", "temporary"]
DEEDS = [
    *[(deed, "network access") for deed in NETWORK],
    *[(deed, "starting a process") for deed in PROCESSES],
    *[(deed, "writing files") for deed in FILES],
]


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """One server for all."""
    server = ServerProcess(tmp_path_factory.mktemp("guards") / "data")
    server.push_ok({"fn.py": APP})
    yield server
    server.close()


def _place(server: ServerProcess, deed: str, folder: Path) -> str:
    """Return what the deed is done to: a port, or a file that is there if the deed needs one."""
    if deed in NETWORK:
        return str(server.port)
    place = folder / "place"
    if deed in ("remove", "rename"):
        place.touch()
    return str(place)


@pytest.mark.parametrize(("deed", "what"), DEEDS)
def test_queries_and_mutations_may_not_and_actions_may(
    guarded: ServerProcess, tmp_path: Path, deed: str, what: str
) -> None:
    place = _place(guarded, deed, tmp_path)
    before = sorted(tmp_path.iterdir())
    for kind, plural in (("query", "queries"), ("mutation", "mutations")):
        answer = guarded.failure(kind, f"fn:{kind}_does", deed=deed, place=place)
        assert f"{what} is not allowed in {plural}: use an action" in answer["errorMessage"], answer
        assert "    at <lambda> (convex/fn.py:" in answer["errorMessage"]
    assert sorted(tmp_path.iterdir()) == before
    assert guarded.call("query", "fn:deeds") == []
    if deed != "fork":
        guarded.call("action", "fn:action_does", deed=deed, place=place)
        again = tmp_path / "again"
        again.mkdir()
        guarded.call("action", "fn:plain_action_does", deed=deed, place=_place(guarded, deed, again))


def test_reading_files_is_allowed(guarded: ServerProcess) -> None:
    assert guarded.call("query", "fn:reads") == "\n"


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        ("query", "fn:query_says"),
        ("mutation", "fn:mutation_says"),
        ("action", "fn:action_says"),
        ("action", "fn:plain_action_says"),
    ],
)
def test_prints_and_log_records_come_with_the_answer(guarded: ServerProcess, kind: str, path: str) -> None:
    answer = guarded.request("POST", f"/api/{kind}", {"path": path, "args": {}})[1]
    assert answer["logLines"] == SAID


def test_lines_of_a_failed_call_come_too(guarded: ServerProcess) -> None:
    answer = guarded.failure("mutation", "fn:says_and_fails")
    assert answer["logLines"] == ["[LOG] before the fall"]
    lines = answer["errorMessage"].split("\n")
    assert lines[1] == "Uncaught KeyError: 'missing key'"
    assert lines[2].startswith("    at helper (convex/fn.py:")
    assert lines[3].startswith("    at says_and_fails (convex/fn.py:")
    assert len(lines) == 4


def test_lines_are_bounded_in_number_and_length(guarded: ServerProcess) -> None:
    answer = guarded.request("POST", "/api/query", {"path": "fn:chatters", "args": {}})[1]
    assert len(answer["logLines"]) == 256
    assert answer["logLines"][-1].startswith("[WARN] log overflow")
    line = guarded.request("POST", "/api/query", {"path": "fn:long_line", "args": {}})[1]["logLines"][0]
    assert len(line) == len("[LOG] ") + 32768
    assert line.endswith(" (truncated due to length)")


@pytest.mark.parametrize("path", ["fn:chained", "fn:library_raises", "fn:bad_limit", "fn:says_and_fails"])
def test_a_client_sees_frames_of_the_app_only(guarded: ServerProcess, path: str) -> None:
    kind = "mutation" if path == "fn:says_and_fails" else "query"
    message = guarded.failure(kind, path)["errorMessage"]
    frames = [line for line in message.split("\n") if line.startswith("    at ")]
    assert frames
    assert all("(convex/fn.py:" in frame for frame in frames)
    for ours in ("convexpy/", "site-packages", "Traceback", str(guarded.data)):
        assert ours not in message


# The log


def _entries(server: ServerProcess, request_id: str) -> list[dict[str, Any]]:
    answer = server.request("GET", "/api/stream_function_logs?cursor=0.001", admin=True)[1]
    return [entry for entry in answer["entries"] if entry["requestId"] == request_id]


def test_calls_are_in_the_log_with_their_request_ids(guarded: ServerProcess) -> None:
    headers = {"Convex-Request-Id": "00000000feedbeef"}
    guarded.request("POST", "/api/query", {"path": "fn:query_says", "args": {}}, headers=headers)
    (entry,) = wait_for(lambda: _entries(guarded, "00000000feedbeef"), what="the entry")
    assert (entry["kind"], entry["udfType"], entry["identifier"]) == ("Completion", "Query", "fn:query_says")
    assert [f"[{line['level']}] {line['messages'][0]}" for line in entry["logLines"]] == SAID
    assert entry["error"] is None
    assert abs(entry["timestamp"] - time.time()) < 60
    assert abs(entry["logLines"][0]["timestamp"] / 1000 - time.time()) < 60


def test_lines_of_an_action_are_in_the_log_while_it_runs(guarded: ServerProcess) -> None:
    headers = {"Convex-Request-Id": "00000000aaaaaaaa"}
    guarded.request("POST", "/api/action", {"path": "fn:action_says", "args": {}}, headers=headers)

    def found() -> list[dict[str, Any]]:
        entries = _entries(guarded, "00000000aaaaaaaa")
        return entries if entries and entries[-1]["kind"] == "Completion" else []

    *progress, completion = wait_for(found, what="the end of the action")
    assert {entry["kind"] for entry in progress} == {"Progress"}
    lines = [line for entry in progress for line in entry["logLines"]]
    assert [f"[{line['level']}] {line['messages'][0]}" for line in lines] == SAID
    assert completion["logLines"] == []


def test_a_failure_is_in_the_log_with_the_developers_frames(guarded: ServerProcess) -> None:
    headers = {"Convex-Request-Id": "00000000bbbbbbbb"}
    guarded.request("POST", "/api/query", {"path": "fn:chained", "args": {}}, headers=headers)
    (entry,) = wait_for(lambda: _entries(guarded, "00000000bbbbbbbb"), what="the entry")
    error = entry["error"]
    assert "ValueError: could not look it up" in error
    assert "KeyError: 'missing key'" in error
    files = [line.split('"')[1] for line in error.split("\n") if line.startswith("  File ")]
    assert files
    assert set(files) == {"convex/fn.py"}
    assert '{}["missing key"]' in error


def test_a_reader_of_the_log_waits_for_the_next_entry(guarded: ServerProcess) -> None:
    cursor = guarded.request("GET", "/api/stream_function_logs?cursor=0.001", admin=True)[1]["newCursor"]
    answers: list[Any] = []

    def read() -> None:
        answers.append(guarded.request("GET", f"/api/stream_function_logs?cursor={cursor!r}", admin=True)[1])

    reader = threading.Thread(target=read)
    reader.start()
    headers = {"Convex-Request-Id": "00000000cccccccc"}
    guarded.request("POST", "/api/query", {"path": "fn:reads", "args": {}}, headers=headers)
    reader.join()
    assert [entry["requestId"] for entry in answers[0]["entries"]] == ["00000000cccccccc"]
    assert answers[0]["newCursor"] > cursor


def test_a_call_over_a_socket_has_an_id_that_the_client_can_compute(guarded: ServerProcess) -> None:
    import hashlib

    with SyncSocket(guarded.url) as client:
        client.mutation(3, "fn:says_and_fails")
        response = client.response(3)
    request_id = hashlib.sha256(f"{client.session}|3".encode()).hexdigest()[:16]
    assert response["result"].startswith(f"[Request ID: {request_id}] Server Error\n")
    assert wait_for(lambda: _entries(guarded, request_id), what="the entry")[0]["caller"] == "SyncWorker"


# Production


def test_production_hides_texts_and_lines_but_not_the_data_of_a_convex_error(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path / "data", "--redact-errors")
    try:
        server.push_ok({"fn.py": APP})
        for kind, path in (
            ("mutation", "fn:says_and_fails"),
            ("query", "fn:nope"),
            ("query", "fn:deeds"),
            ("mutation", "fn:refuses"),
        ):
            args = {"extra": 1} if path == "fn:deeds" else {}
            answer = server.failure(kind, path, **args)
            first, _, rest = answer["errorMessage"].partition("]")
            assert first.startswith("[Request ID: ")
            assert rest == " Server Error"
            assert answer["logLines"] == []
            assert answer.get("errorData") == (
                {"code": 7, "text": "for the client"} if path == "fn:refuses" else None
            )
        with SyncSocket(server.url) as client:
            client.subscribe(0, "fn:chained")
            client.transition()
            assert client.results[0]["errorMessage"].endswith("] Server Error")
            assert client.results[0]["logLines"] == []
            client.mutation(0, "fn:refuses")
            response = client.response(0)
            assert response["errorData"] == {"code": 7, "text": "for the client"}
            assert response["result"].endswith("] Server Error")
            assert response["logLines"] == []
        entries = server.request("GET", "/api/stream_function_logs?cursor=0.001", admin=True)[1]["entries"]
        assert any("missing key" in (entry["error"] or "") for entry in entries)
        assert any(line["messages"] == ["secret reason"] for entry in entries for line in entry["logLines"])
    finally:
        server.close()
