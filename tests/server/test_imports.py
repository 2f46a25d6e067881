"""Imports: everything or nothing, ids and numbers kept, the schema enforced, subscriptions told."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import http.client
import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from support.processes import ServerProcess, wait_for
from support.sockets import SyncSocket
from support.transfers import (
    export,
    lines,
    post,
    run_import,
    state_of,
    system,
    until,
    upload,
)

StartServer = Callable[..., ServerProcess]
SCHEMA = """
from convexpy import define_schema, define_table, v

schema = define_schema({
    "users": define_table({"name": v.string(), "age": v.optional(v.number())}).index("by_name", ["name"]),
    "posts": define_table({"author": v.id("users"), "n": v.int64()}).index("by_n", ["n"]),
    "pictures": define_table({"file": v.id("_storage")}),
})
"""
APP = """
from convexpy import mutation, query

@mutation
def add(ctx, name: str):
    return ctx.db.insert("users", {"name": name})

@query
def names(ctx) -> list[str]:
    return [user["name"] for user in ctx.db.query("users").with_index("by_name")]

@query
def get(ctx, id: str):
    return ctx.db.get(id)

@query
def authors(ctx):
    return [ctx.db.get(post["author"])["name"] for post in ctx.db.query("posts").with_index("by_n")]

@query
def urls(ctx):
    return [ctx.storage.get_url(picture["file"]) for picture in ctx.db.query("pictures")]
"""


@pytest.fixture
def app(module_server: ServerProcess) -> ServerProcess:
    """A server without documents or files; only the table "others" has been used."""
    server = module_server
    server.push_ok({"schema.py": SCHEMA, "app.py": APP})
    emptied = run_import(server, lines({"x": 1}), format="jsonLines", tableName="others", mode="replaceAll")
    assert emptied["state"] == "completed", emptied
    opts = {"numItems": 100, "cursor": None}
    files = system(server, "_system/cli/tableData", table="_storage", order="asc", paginationOpts=opts)[
        "page"
    ]
    if files:
        post(server, "/api/convexpy/storage/delete", {"ids": [file["_id"] for file in files]})
    return server


def names(server: ServerProcess) -> list[str]:
    found: list[str] = server.call("query", "app:names")
    return found


def tablets(server: ServerProcess) -> set[str]:
    """The states of all tables; those being removed go in the background."""
    opts = {"numItems": 100, "cursor": None}
    page = system(server, "_system/cli/tableData", table="_tables", order="asc", paginationOpts=opts)["page"]
    return {table["state"] for table in page}


def nothing_is_left(server: ServerProcess) -> None:
    wait_for(lambda: tablets(server) <= {"active", "deleted"}, what="hidden tables to go")
    folder = server.data / "transfers" / "imports"
    wait_for(lambda: not folder.exists() or not list(folder.iterdir()), what="the folder to be empty")


@pytest.mark.parametrize(
    ("format", "data"),
    [
        ("csv", b"name,age\n0040,7\nbo,\n"),
        ("jsonLines", lines({"name": "0040", "age": 7}, {"name": "bo"})),
        ("jsonArray", b'[{"name": "0040", "age": 7},\n {"name": "bo"}]'),
    ],
)
def test_every_format_arrives(app: ServerProcess, format: str, data: bytes) -> None:
    state = run_import(app, data, format=format, tableName="users", part=3)
    assert state["state"] == "completed", state
    assert names(app) == ["0040", "bo"]
    app.stop()
    app.start()
    assert names(app) == ["0040", "bo"]
    assert app.call("mutation", "app:add", name="c")
    assert names(app) == ["0040", "bo", "c"]
    nothing_is_left(app)


def test_modes(app: ServerProcess) -> None:
    app.call("mutation", "app:add", name="old")
    one = lines({"name": "new"})
    refused = run_import(app, one, format="jsonLines", tableName="users")
    assert "not empty" in refused["error_message"]
    assert names(app) == ["old"]
    assert run_import(app, one, format="jsonLines", tableName="users", mode="append")["state"] == "completed"
    assert names(app) == ["new", "old"]
    assert run_import(app, one, format="jsonLines", tableName="users", mode="replace")["state"] == "completed"
    assert names(app) == ["new"]
    other = run_import(app, lines({"x": 1}), format="jsonLines", tableName="others", mode="replaceAll")
    assert other["state"] == "completed"
    assert names(app) == []
    nothing_is_left(app)


def test_what_will_change_is_said_and_asked_only_if_something_is_lost(app: ServerProcess) -> None:
    wanted = {"format": "jsonLines", "tableName": "users"}
    id = upload(app, lines({"name": "a"}), **wanted)
    state = until(app, id, "waiting_for_confirmation")
    assert state["require_manual_confirmation"] is False
    post(app, "/api/perform_import", {"importId": id})
    until(app, id)
    id = upload(app, lines({"name": "b"}, {"name": "c"}), mode="replace", **wanted)
    state = until(app, id, "waiting_for_confirmation")
    assert state["require_manual_confirmation"] is True
    assert "users | 2      | 1 of 1" in state["message_to_confirm"]
    (table,) = system(app, "_system/cli/queryImport", importId=id)["tables"]
    assert table == {"name": "users", "before": 1.0, "after": 2.0}
    post(app, "/api/cancel_import", {"importId": id})
    assert state_of(app, id)["state"] == "failed"
    assert names(app) == ["a"]
    nothing_is_left(app)


def test_bad_rows_are_named_and_nothing_is_written(app: ServerProcess) -> None:
    app.call("mutation", "app:add", name="old")
    data = lines(*[{"name": "ok"}] * 30, {"name": 5}, {"nam": "x"}, {"name": "y", "_x": 1})
    id = upload(app, data, format="jsonLines", tableName="users", mode="replace", fileName="u.jsonl")
    state = until(app, id, "waiting_for_confirmation")
    assert state["state"] == "failed"
    assert state["error_message"].startswith("u.jsonl:31:1: ")
    found = system(app, "_system/cli/queryImport", importId=id)
    assert [fault["line"] for fault in found["faults"]] == [31, 32, 33]
    assert names(app) == ["old"]
    nothing_is_left(app)


def test_ids_are_kept_and_references_hold_across_deployments(
    app: ServerProcess, start_server: StartServer
) -> None:
    ada = app.call("mutation", "app:add", name="ada")
    assert run_import(app, lines({"author": ada, "n": {"$integer": "BQAAAAAAAAA="}}), format="jsonLines", tableName="posts")["state"] == "completed"  # fmt: skip
    snapshot = export(app)
    other = start_server()
    # Here the tables get other numbers at first.
    other.push_ok({"schema.py": SCHEMA.replace('"users": define', '"first": define_table({}), "users": define'), "app.py": APP})  # fmt: skip
    state = run_import(other, snapshot, format="zip")
    assert state["state"] == "completed", state
    assert other.call("query", "app:authors") == ["ada"]
    assert other.call("query", "app:get", id=ada)["name"] == "ada"
    assert (
        without_readme(export(other))["users/documents.jsonl"]
        == without_readme(snapshot)["users/documents.jsonl"]
    )
    assert other.call("mutation", "app:add", name="new")
    other.stop()
    other.start()
    assert other.call("query", "app:authors") == ["ada"]


def without_readme(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist() if name != "README.md"}


def test_an_export_imported_gives_the_same_export(app: ServerProcess) -> None:
    for name in ("a", "ü", "c\n"):
        app.call("mutation", "app:add", name=name)
    first = export(app)
    app.call("mutation", "app:add", name="later")
    assert run_import(app, first, format="zip", mode="replaceAll")["state"] == "completed"
    assert without_readme(export(app)) == without_readme(first)


def stored(server: ServerProcess, data: bytes) -> str:
    url = post(server, "/api/convexpy/storage/upload_url", {})["url"]
    path = url[url.index("/api/") :]
    _, answer, _ = server.request("POST", path, raw=data, headers={"Content-Type": "text/plain"})
    id: str = answer["storageId"]
    return id


def test_files_come_back_with_their_ids(app: ServerProcess, start_server: StartServer) -> None:
    contents = [b"first", b"", b"x" * 300_000]
    ids = [stored(app, data) for data in contents]
    run_import(app, lines(*[{"file": id} for id in ids]), format="jsonLines", tableName="pictures")
    snapshot = export(app)
    other = start_server()
    other.push_ok({"schema.py": SCHEMA, "app.py": APP})
    extra = stored(other, b"goes away")
    state = run_import(other, snapshot, format="zip", mode="replaceAll")
    assert state["state"] == "completed", state
    fetched = [other.request("GET", url[url.index("/api/") :])[1] for url in other.call("query", "app:urls")]
    assert sorted(fetched) == sorted(contents)
    listed = system(other, "_system/cli/tableData", table="_storage", order="asc", paginationOpts={"numItems": 10, "cursor": None})["page"]  # fmt: skip
    assert {file["_id"] for file in listed} == set(ids)
    assert extra not in ids
    # Once more over itself: files that are there stay as they are.
    assert run_import(other, snapshot, format="zip", mode="replaceAll")["state"] == "completed"
    assert without_readme(export(other)) == without_readme(snapshot)


def test_a_file_that_is_not_what_it_says_fails_the_import(app: ServerProcess) -> None:
    id = stored(app, b"honest")
    app.call("mutation", "app:add", name="old")
    entries = without_readme(export(app))
    name = next(name for name in entries if name.startswith(f"_storage/{id}"))
    post(app, "/api/convexpy/storage/delete", {"ids": [id]})
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for path, data in {**entries, name: b"forged"}.items():
            archive.writestr(path, data)
    before = {path.name for path in (app.data / "storage").iterdir()}
    state = run_import(app, target.getvalue(), format="zip", mode="replaceAll")
    assert state["state"] == "failed"
    assert "sha256" in state["error_message"].lower()
    assert names(app) == ["old"]
    assert {path.name for path in (app.data / "storage").iterdir()} == before
    nothing_is_left(app)


def test_a_snapshot_of_another_product_finds_its_files(app: ServerProcess) -> None:
    """Ids of `_storage` have another table number there; they are rewritten, in documents too."""
    from convexpy.values import encode_id

    foreign = encode_id(540, bytes(range(16)))
    data = b"from the cloud"
    document = {
        "_id": foreign, "_creationTime": 1700000000000.25, "contentType": "text/plain", "size": len(data),
        "sha256": base64.b64encode(hashlib.sha256(data).digest()).decode(),
        "internalId": "6f1f0c0e-8a51-4b8f-9f0e-0d7d6e6f1a2b",
    }  # fmt: skip
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("_tables/documents.jsonl", '{"name":"pictures","id":10005}\n')
        archive.writestr("_storage/documents.jsonl", json.dumps(document) + "\n")
        archive.writestr(f"_storage/{foreign}.txt", data)
        archive.writestr("pictures/documents.jsonl", json.dumps({"file": foreign}) + "\n")
        archive.writestr("pictures/generated_schema.jsonl", '"uniform"\n')
    state = run_import(app, target.getvalue(), format="zip", mode="replaceAll")
    assert state["state"] == "completed", state
    (url,) = app.call("query", "app:urls")
    assert app.request("GET", url[url.index("/api/") :])[1] == data


def test_a_table_number_that_another_table_has_is_refused(app: ServerProcess) -> None:
    ada = app.call("mutation", "app:add", name="ada")
    state = run_import(app, lines({"_id": ada, "x": 1}), format="jsonLines", tableName="strangers")
    assert state["state"] == "failed"
    assert '"users"' in state["error_message"]
    assert names(app) == ["ada"]


@pytest.mark.parametrize("mode", ["replace", "append"])
def test_an_id_that_is_there_twice_is_refused(app: ServerProcess, mode: str) -> None:
    ada = app.call("mutation", "app:add", name="ada")
    twice = lines({"_id": ada, "name": "a"}, {"_id": ada, "name": "b"})
    assert run_import(app, twice, format="jsonLines", tableName="users", mode=mode)["state"] == "failed"
    assert names(app) == ["ada"]


def test_a_hostile_zip_leaves_no_trace(app: ServerProcess) -> None:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("users/documents.jsonl", '{"name":"x"}\n')
        archive.writestr("../../../../tmp/convexpy-was-here", "x")
    state = run_import(app, target.getvalue(), format="zip")
    assert "refused" in state["error_message"]
    assert names(app) == []
    nothing_is_left(app)


def test_nothing_is_emptied_because_nothing_was_recognised(app: ServerProcess) -> None:
    app.call("mutation", "app:add", name="ada")
    for entries in (["notes.jsonl"], ["_tables/documents.jsonl"], ["_storage/a", "_storage/documents.jsonl"]):
        target = io.BytesIO()
        with zipfile.ZipFile(target, "w") as archive:
            for name in entries:
                archive.writestr(name, "")
        state = run_import(app, target.getvalue(), format="zip", mode="replaceAll")
        assert (state["state"], "no table" in state["error_message"]) == ("failed", True)
    assert names(app) == ["ada"]


def test_all_subscriptions_see_the_swap(app: ServerProcess) -> None:
    ada = app.call("mutation", "app:add", name="ada")
    with SyncSocket(app.url) as socket:
        socket.subscribe(0, "app:names")
        socket.subscribe(1, "app:get", id=ada)
        socket.until_result(0, lambda value: value == ["ada"])
        socket.until_result(1, lambda value: value is not None and value["name"] == "ada")
        run_import(app, lines({"name": "bo"}), format="jsonLines", tableName="users", mode="replace")
        socket.until_result(0, lambda value: value == ["bo"])
        socket.until_result(1, lambda value: value is None)
        app.call("mutation", "app:add", name="cy")
        socket.until_result(0, lambda value: value == ["bo", "cy"])


def test_documents_written_while_an_import_waits_decide_at_the_swap(app: ServerProcess) -> None:
    id = upload(app, lines({"name": "new"}), format="jsonLines", tableName="users")
    until(app, id, "waiting_for_confirmation")
    app.call("mutation", "app:add", name="meanwhile")
    post(app, "/api/perform_import", {"importId": id})
    state = until(app, id)
    assert state["state"] == "failed"
    assert names(app) == ["meanwhile"]
    nothing_is_left(app)


def test_a_push_of_another_schema_fails_an_import_that_waits(app: ServerProcess) -> None:
    id = upload(app, lines({"name": "new"}), format="jsonLines", tableName="users")
    until(app, id, "waiting_for_confirmation")
    changed = SCHEMA.replace('.index("by_name", ["name"])', '.index("by_name", ["name", "age"])')
    app.push_ok({"schema.py": changed, "app.py": APP})
    post(app, "/api/perform_import", {"importId": id})
    assert "schema" in until(app, id)["error_message"]
    assert names(app) == []
    nothing_is_left(app)


def test_a_dry_run_writes_nothing(app: ServerProcess) -> None:
    id = upload(app, lines({"name": "a"}), format="jsonLines", tableName="users", dryRun=True)
    assert until(app, id)["state"] == "validated"
    assert names(app) == []
    nothing_is_left(app)


def test_uploads_are_gone_on_with_and_checked(app: ServerProcess) -> None:
    token = post(app, "/api/import/start_upload")["uploadToken"]

    def part(number: int, data: bytes) -> Any:
        path = f"/api/import/upload_part?uploadToken={token}&partNumber={number}"
        return app.request("POST", path, raw=data, admin=True)[1]

    first = part(1, b'{"name":')
    _, answer, _ = app.request("GET", f"/api/convexpy/import/parts?uploadToken={token}", admin=True)
    assert answer["parts"] == {"1": hashlib.sha256(b'{"name":').hexdigest()}
    second = part(2, b'"a"}')
    wanted = {"format": "jsonLines", "tableName": "users"}
    for wrong in ([first], [second, first], [first, "2-ff"]):
        body = {"import": wanted, "uploadToken": token, "partTokens": wrong}
        assert post(app, "/api/import/finish_upload", body, 400)["code"] == "BadPartTokens"
    body = {"import": wanted, "uploadToken": token, "partTokens": [first, second]}
    id = post(app, "/api/import/finish_upload", body)["importId"]
    assert until(app, id, "waiting_for_confirmation")["state"] == "waiting_for_confirmation"
    assert post(app, "/api/import/finish_upload", body, 404)["code"] == "UploadNotFound"
    assert not list((app.data / "transfers" / "uploads").iterdir())


def test_only_keys_that_may_write_data_import(app: ServerProcess) -> None:
    key = post(app, "/api/convexpy/keys", {"name": "r", "kind": "read-only"})["key"]
    for path in ("/api/import/start_upload", "/api/perform_import", "/api/import?format=csv&tableName=users"):
        for headers in ({}, {"Authorization": f"Convex {key}"}):
            status, _, _ = app.request("POST", path, {"importId": "x"}, headers=headers)
            assert status == 403


def test_the_old_way_in_one_request(app: ServerProcess) -> None:
    path = "/api/import?tableName=users&format=csv&mode=append"
    status, answer, _ = app.request("POST", path, raw=b"name\na\nb\n", admin=True)
    assert (status, answer) == (200, {"numWritten": 2})
    assert names(app) == ["a", "b"]


PHASES = [
    "imports.created", "imports.joined", "imports.begun", "imports.confirmed", "imports.filling=kill@2", "imports.filled",
    "imports.before_swap", "imports.swapped",
]  # fmt: skip


@pytest.mark.parametrize("phase", PHASES)
def test_killed_in_any_phase_there_is_the_old_or_the_new(app: ServerProcess, phase: str) -> None:
    setting = phase if "=" in phase else f"{phase}=kill"
    server = app
    old, new = ["old0", "old1"], sorted(f"new{n}" for n in range(2500))
    for name in old:
        server.call("mutation", "app:add", name=name)
    server.stop()
    server.start(env={"CONVEXPY_PAUSE": setting})
    data = lines(*[{"name": name} for name in new])
    with contextlib.suppress(OSError, http.client.HTTPException):
        run_import(server, data, format="jsonLines", tableName="users", mode="replace")
    assert server.process.wait(60) == -9
    server._reap()
    server.start(env={})
    assert names(server) == (new if phase == "imports.swapped" else old)
    newest = system(server, "_system/cli/queryImport:list")[0]
    assert newest["state"]["state"] == ("completed" if phase == "imports.swapped" else "failed")
    nothing_is_left(server)
    # And the next one is not in its way.
    assert (
        run_import(server, data, format="jsonLines", tableName="users", mode="replace")["state"]
        == "completed"
    )
    assert names(server) == new
