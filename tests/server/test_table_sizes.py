"""The sizes of tables are kept up with commits, and are those that a new server counts."""

from __future__ import annotations

from typing import Any

from support.processes import ServerProcess

APP = """
from convexpy import mutation

@mutation
def add(ctx, count: int, text: str) -> list[str]:
    return [ctx.db.insert("notes", {"text": text}) for _ in range(count)]

@mutation
def change(ctx, ids: list[str], text: str) -> None:
    for id in ids:
        ctx.db.patch(id, {"text": text})

@mutation
def remove(ctx, ids: list[str]) -> None:
    for id in ids:
        ctx.db.delete(id)

@mutation
def come_and_go(ctx) -> None:
    ctx.db.delete(ctx.db.insert("notes", {"text": "gone"}))
"""


def sizes(server: ServerProcess) -> dict[str, tuple[int, int]]:
    status, answer, _ = server.request("GET", "/api/convexpy/tables", admin=True)
    assert status == 200
    return {each["name"]: (each["documents"], each["sizeBytes"]) for each in answer["tables"]}


def test_sizes_follow_commits(server: ServerProcess) -> None:
    server.push_ok({"app.py": APP})
    ids: list[Any] = server.call("mutation", "app:add", count=20, text="one")
    at_first = sizes(server)["notes"]
    assert at_first[0] == 20
    server.call("mutation", "app:change", ids=ids[:5], text="something longer")
    server.call("mutation", "app:add", count=7, text="zwölf")
    server.call("mutation", "app:remove", ids=ids[10:14])
    server.call("mutation", "app:come_and_go")
    found = sizes(server)["notes"]
    assert found[0] == 23
    assert found[1] > at_first[1]
    server.call("mutation", "app:remove", ids=ids[:5])
    kept = sizes(server)
    assert kept["notes"][0] == 18
    server.stop()
    server.start()
    assert sizes(server) == kept


def test_a_list_without_sizes_counts_nothing(server: ServerProcess) -> None:
    server.push_ok({"app.py": APP})
    server.call("mutation", "app:add", count=1, text="one")
    sizes(server)
    status, answer, _ = server.request("GET", "/api/convexpy/tables?sizes=0", admin=True)
    assert status == 200
    (table,) = answer["tables"]
    assert (table["name"], "documents" in table) == ("notes", False)
