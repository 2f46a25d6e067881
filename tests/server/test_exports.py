"""Exports: one moment while writes go on, states as official tools expect them, nothing left behind."""

from __future__ import annotations

import base64
import contextlib
import http.client
import io
import threading
import time
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from support.processes import ServerProcess, wait_for
from support.transfers import export, lines, post, run_import, system

from convexpy.values import decode_export

StartServer = Callable[..., ServerProcess]
APP = """
from convexpy import mutation, v

@mutation
def open(ctx, count: int):
    for n in range(count):
        ctx.db.insert("left", {"n": n, "amount": 100})
        ctx.db.insert("right", {"n": n, "amount": 100})

@mutation
def move(ctx, n: int, amount: int):
    left = ctx.db.query("left").filter(lambda d: d["n"] == n).first()
    right = ctx.db.query("right").filter(lambda d: d["n"] == n).first()
    ctx.db.patch(left["_id"], {"amount": left["amount"] - amount})
    ctx.db.patch(right["_id"], {"amount": right["amount"] + amount})
    ctx.db.insert("moves", {"n": n, "amount": amount})

@mutation
def kinds(ctx):
    from convexpy.values import Int64
    ctx.db.insert("kinds", {"i": Int64(5), "f": 5, "h": 0.5, "b": b"x", "n": None, "inf": float("inf"), "z": -0.0})
"""


def tables_of(data: bytes) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        for name in archive.namelist():
            table, _, file = name.partition("/")
            if file == "documents.jsonl" and not table.startswith("_"):
                assert archive.read(f"{table}/generated_schema.jsonl") == b'"uniform"\n'
                found[table] = [decode_export(line) for line in archive.read(name).splitlines()]
    return found


def test_an_export_is_one_moment_while_amounts_move(server: ServerProcess) -> None:
    server.push_ok({"bank.py": APP})
    server.call("mutation", "bank:open", count=40)
    # Enough for an export to take its time.
    run_import(
        server,
        lines(*[{"text": "x" * 200, "n": n} for n in range(30_000)]),
        format="jsonLines",
        tableName="bulk",
    )
    ended = threading.Event()
    slowest, moved = [0.0], [0]

    def move() -> None:
        while not ended.is_set():
            started = time.monotonic()
            server.call("mutation", "bank:move", n=moved[0] % 40, amount=moved[0] % 7)
            slowest[0] = max(slowest[0], time.monotonic() - started)
            moved[0] += 1

    writer = threading.Thread(target=move)
    writer.start()
    try:
        wait_for(lambda: moved[0] > 20)
        exports = []
        for _ in range(3):
            before = moved[0]
            exports.append((before, tables_of(export(server)), moved[0]))
    finally:
        ended.set()
        writer.join()
    for before, tables, after in exports:
        assert len(tables["bulk"]) == 30_000
        moves = tables["moves"]
        assert before <= len(moves) <= after + 1
        # Both sides, and the list of moves, are from one point in time.
        assert sum(side["amount"] for side in tables["left"] + tables["right"]) == 80 * 100
        for side, sign in (("left", -1), ("right", 1)):
            for account in tables[side]:
                expected = 100 + sign * sum(m["amount"] for m in moves if m["n"] == account["n"])
                assert account["amount"] == expected
    assert exports[-1][2] > exports[0][0], "nobody wrote while exports were made"
    assert slowest[0] < 5.0


def test_values_keep_their_kinds(server: ServerProcess) -> None:
    server.push_ok({"bank.py": APP})
    server.call("mutation", "bank:kinds")
    with zipfile.ZipFile(io.BytesIO(export(server))) as archive:
        text = archive.read("kinds/documents.jsonl")
        assert archive.read("_tables/documents.jsonl") == b'{"name": "kinds", "id": 10001}\n'
    for part in (b'"i":5,', b'"f":5.0,', b'"h":0.5', b'"b":{"$bytes":"eA=="}', b'"n":null', b'"z":-0.0', b'"inf":{"$float"'):  # fmt: skip
        assert part in text


def test_states_and_downloads_as_official_tools_expect_them(server: ServerProcess) -> None:
    server.push_ok({"bank.py": APP})
    server.call("mutation", "bank:open", count=3)
    assert system(server, "_system/cli/exports:getLatest") is None
    post(server, "/api/export/request/zip?includeStorage=false")
    # It is there before the answer.
    assert system(server, "_system/cli/exports:getLatest")["state"] in (
        "requested",
        "in_progress",
        "completed",
    )

    def completed() -> Any:
        found = system(server, "_system/cli/exports:getLatest")
        return found if found["state"] == "completed" else None

    found = wait_for(completed)
    assert found["format"] == {"format": "zip", "include_storage": False}
    moments = [
        int.from_bytes(base64.b64decode(found[name]["$integer"]), "little")
        for name in ("start_ts", "complete_ts", "expiration_ts")
    ]
    assert moments == sorted(moments)
    status, whole, headers = server.request("GET", f"/api/export/zip/{moments[0]}", admin=True)
    assert status == 200
    assert headers["content-disposition"].startswith("attachment; filename=snapshot_")
    assert int(headers["content-length"]) == len(whole)
    ranges = {"Range": "bytes=10-19"}
    status, part, headers = server.request("GET", f"/api/export/zip/{moments[0]}", admin=True, headers=ranges)
    assert (status, part, headers["content-range"]) == (206, whole[10:20], f"bytes 10-19/{len(whole)}")
    beyond = {"Range": f"bytes={len(whole)}-"}
    assert server.request("GET", f"/api/export/zip/{moments[0]}", admin=True, headers=beyond)[0] == 416
    status, again, _ = server.request("GET", f"/api/export/zip/{found['_id']}?adminKey={server.admin_key}")
    assert (status, again) == (200, whole)
    assert server.request("GET", f"/api/export/zip/{found['_id']}")[0] == 403
    assert server.request("GET", "/api/export/zip/12345", admin=True)[0] == 404


def test_one_at_a_time_and_canceled(start_server: StartServer) -> None:
    server = start_server()
    run_import(
        server, lines(*[{"text": "x" * 500} for _ in range(20_000)]), format="jsonLines", tableName="bulk"
    )
    id = post(server, "/api/export/request/zip?includeStorage=true")["id"]
    assert (
        post(server, "/api/export/request/zip?includeStorage=true", expect=400)["code"] == "ExportInProgress"
    )
    post(server, f"/api/export/cancel/{id}")
    assert system(server, "_system/exports:find", which=id)["state"] in ("canceled", "completed")
    folder = server.data / "transfers" / "exports"
    wait_for(lambda: not [path for path in folder.glob("*") if path.suffix != ".zip"])
    assert export(server)


def test_an_expired_export_is_gone(start_server: StartServer) -> None:
    server = start_server()
    export(server)
    found = system(server, "_system/cli/exports:getLatest")
    post(server, f"/api/export/set_expiration/{found['_id']}", {"expirationTsNs": 1})
    server.stop()
    server.start()
    assert system(server, "_system/cli/exports:getLatest") is None
    assert not list((server.data / "transfers" / "exports").iterdir())


def test_keys_that_do_not_read_data_export_nothing(server: ServerProcess) -> None:
    key = post(server, "/api/convexpy/keys", {"name": "d", "kind": "deploy"})["key"]
    headers = {"Authorization": f"Convex {key}"}
    assert server.request("POST", "/api/export/request/zip", headers=headers)[0] == 403
    assert server.request("POST", "/api/export/request/zip")[0] == 403


@pytest.mark.parametrize("phase", ["exports.requested", "exports.begun", "exports.before_rename"])
def test_killed_in_any_phase_an_export_has_failed_and_nothing_is_left(
    start_server: StartServer, phase: str
) -> None:
    server = start_server()
    server.push_ok({"bank.py": APP})
    server.call("mutation", "bank:open", count=3)
    server.stop()
    server.start(env={"CONVEXPY_PAUSE": f"{phase}=kill"})
    with contextlib.suppress(OSError, http.client.HTTPException):
        export(server)
    assert server.process.wait(60) == -9
    server._reap()
    server.start(env={})
    assert system(server, "_system/cli/exports:getLatest")["state"] == "failed"
    folder = server.data / "transfers" / "exports"
    assert not folder.exists() or not list(folder.iterdir())
    assert len(tables_of(export(server))["left"]) == 3
