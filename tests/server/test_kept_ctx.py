"""A ctx that is kept beyond its call does nothing but say so."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.processes import ServerProcess

APP = """
from convexpy import mutation, query

kept = {}

@mutation
def keep(ctx) -> None:
    ctx.db.insert("t", {"n": 1})
    kept.update(ctx=ctx, db=ctx.db, rows=ctx.db.query("t"), iterator=iter(ctx.db.query("t")),
                scheduler=ctx.scheduler, storage=ctx.storage, auth=ctx.auth, id=ctx.db.insert("t", {"n": 2}))
    next(kept["iterator"])

USES = {
    "insert": lambda: kept["db"].insert("t", {"n": 3}),
    "insert by ctx": lambda: kept["ctx"].db.insert("t", {"n": 3}),
    "patch": lambda: kept["db"].patch(kept["id"], {"n": 3}),
    "replace": lambda: kept["db"].replace(kept["id"], {"n": 3}),
    "delete": lambda: kept["db"].delete(kept["id"]),
    "get": lambda: kept["db"].get(kept["id"]),
    "query": lambda: kept["db"].query("t").collect(),
    "kept query": lambda: kept["rows"].collect(),
    "kept iterator": lambda: next(kept["iterator"]),
    "first": lambda: kept["db"].query("t").first(),
    "paginate": lambda: kept["db"].query("t").paginate({"numItems": 1, "cursor": None}),
    "run_mutation": lambda: kept["ctx"].run_mutation("fn:add", {}),
    "run_query": lambda: kept["ctx"].run_query("fn:count", {}),
    "schedule": lambda: kept["scheduler"].run_after(0, "fn:add", {}),
    "upload url": lambda: kept["storage"].generate_upload_url(),
    "file url": lambda: kept["storage"].get_url(kept["id"]),
    "identity": lambda: kept["auth"].get_user_identity(),
}

@mutation
def use(ctx, how: str):
    return str(USES[how]())

@mutation
def hows(ctx) -> list[str]:
    return list(USES)

@mutation
def add(ctx) -> None:
    ctx.db.insert("t", {"n": 9})

@query
def count(ctx) -> int:
    return ctx.db.query("t").count()
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    running = ServerProcess(tmp_path_factory.mktemp("kept") / "data")
    running.push_ok({"fn.py": APP})
    yield running
    running.close()


def test_a_kept_ctx_neither_reads_nor_writes(server: ServerProcess) -> None:
    server.call("mutation", "fn:keep")
    before = server.call("query", "fn:count")
    for how in server.call("mutation", "fn:hows"):
        answer = server.failure("mutation", "fn:use", how=how)
        assert "fn:keep" in answer["errorMessage"] or how == "kept iterator"
        assert "after the call had ended" in answer["errorMessage"], how
    assert server.call("query", "fn:count") == before
