"""Errors and results of functions that are easy to label wrongly, as clients see them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.processes import ServerProcess

APP = {
    "schema.py": """
from convexpy import define_schema, define_table, v

schema = define_schema({
    "notes": define_table({"text": v.string()}).search_index("by_text", search_field="text").index("plain", ["text"])
})
""",
    "fn.py": """
from convexpy import ActionCtx, ArgumentError, QueryCtx, UserIdentity, action, mutation, query

@query
def raises(ctx: QueryCtx) -> None:
    raise ArgumentError("my own")

@query
def takes_wrong(ctx: QueryCtx) -> None:
    ctx.db.query("notes").take(-1)

@query
def typed(ctx: QueryCtx, n: int) -> int:
    return n

@action
async def catches(ctx: ActionCtx, target: str, n: str) -> str:
    try:
        await ctx.run_query(target, {"n": n} if target == "fn:typed" else {})
    except ArgumentError as error:
        return f"{error.code}: {error.message}"
    return ""

@query
def me(ctx: QueryCtx) -> UserIdentity | None:
    return ctx.auth.get_user_identity()

@query
def given(ctx: QueryCtx, who: UserIdentity) -> str:
    return who.subject

@query
def searches(ctx: QueryCtx, index: str) -> None:
    ctx.db.query("notes").with_search_index(index, lambda q: q.search("text", "x")).take(1)
""",
}


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    server = ServerProcess(tmp_path_factory.mktemp("told") / "data")
    try:
        server.push_ok(APP)
        yield server
    finally:
        server.close()


def told(app: ServerProcess, path: str, **args: object) -> str:
    return str(app.failure("query", path, **args)["errorMessage"])


def test_only_arguments_of_a_call_fail_as_such(app: ServerProcess) -> None:
    assert "ArgumentValidationError: " in told(app, "fn:typed", n="one")
    for path in ("fn:raises", "fn:takes_wrong"):
        text = told(app, path)
        assert "Uncaught ArgumentError: " in text
        assert "ArgumentValidationError" not in text


def test_an_action_catches_both_kinds_as_one_class(app: ServerProcess) -> None:
    text = app.call("action", "fn:catches", target="fn:typed", n="one")
    assert text.startswith("ArgumentValidationError: ")
    assert text.count("ArgumentValidationError") == 1
    assert app.call("action", "fn:catches", target="fn:raises", n="") == "ArgumentError: my own"


def test_an_identity_can_be_returned_and_taken(app: ServerProcess) -> None:
    assert app.call("query", "fn:me") is None
    key = f"{app.admin_key}:eyJpc3N1ZXIiOiAiaHR0cHM6Ly9pLnRlc3QiLCAic3ViamVjdCI6ICJ1MSJ9"
    headers = {"Authorization": f"Convex {key}"}
    answer = app.request("POST", "/api/query", {"path": "fn:me", "args": {}}, headers=headers)[1]
    assert answer["value"] == {
        "issuer": "https://i.test",
        "subject": "u1",
        "tokenIdentifier": "https://i.test|u1",
    }
    assert app.call("query", "fn:given", who=answer["value"]) == "u1"


def test_a_search_says_what_is_missing(app: ServerProcess) -> None:
    assert "notes.by_text: full-text search is not in this version of convexpy" in told(
        app, "fn:searches", index="by_text"
    )
    for index in ("plain", "none"):
        assert f"Index notes.{index} is not a search index." in told(app, "fn:searches", index=index)
