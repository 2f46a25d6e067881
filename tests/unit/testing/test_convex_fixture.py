"""`convexpy.testing`: the real engine, in memory, driven from a test's thread."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from convexpy import ConvexError, FunctionError
from convexpy.errors import Error
from convexpy.testing._client import LocalTest
from convexpy.testing._local import LocalDeployment

MODULES = {
    "schema.py": """
from convexpy import define_schema, define_table, v
schema = define_schema({"notes": define_table({"text": v.string()}).index("by_text", ["text"])})
""",
    "notes.py": """
from dataclasses import dataclass
from convexpy import ConvexError, QueryCtx, MutationCtx, ActionCtx, SyncActionCtx, TransactionLimits
from convexpy import action, internal_mutation, mutation, query
from ._generated.api import api, internal
from ._generated.data_model import NotesDoc, NotesId

@dataclass
class Summary:
    total: int
    who: str | None

@mutation
def add(ctx: MutationCtx, text: str) -> NotesId:
    return ctx.db.insert("notes", {"text": text})

@query(name="list")
def list_(ctx: QueryCtx) -> list[NotesDoc]:
    return ctx.db.query("notes").collect()

@query
def summary(ctx: QueryCtx) -> Summary:
    identity = ctx.auth.get_user_identity()
    return Summary(ctx.db.query("notes").count(), None if identity is None else identity.name)

@mutation
def refuse(ctx: MutationCtx) -> None:
    ctx.db.insert("notes", {"text": "never"})
    raise ConvexError({"code": 7})

@query
def lost(ctx: QueryCtx) -> int:
    return ctx.db.query("noets").count()

@query
def lost_index(ctx: QueryCtx) -> int:
    return ctx.db.query("notes").with_index("by_txt").count()

@query
def promises(ctx: QueryCtx) -> int:
    return "text"

@mutation
def breaks(ctx: MutationCtx) -> None:
    raise ValueError("title is empty")

@mutation
def tolerant(ctx: MutationCtx) -> int:
    ctx.db.insert("notes", {"text": "kept"})
    try:
        ctx.run_mutation(refuse)
    except ConvexError as error:
        return error.data["code"]
    return 0

@mutation
def bounded(ctx: MutationCtx) -> str:
    try:
        ctx.run_mutation(add, {"text": "x"}, limits=TransactionLimits(documents_written=0))
    except Exception as error:
        return f"{type(error).__name__}:{getattr(error, 'limit', '')}"
    return ""

@action
async def both(ctx: ActionCtx, text: str) -> int:
    await ctx.run_mutation(add, text=text)
    return (await ctx.run_query(summary)).total

@action
def blocking(ctx: SyncActionCtx, text: str) -> int:
    ctx.run_mutation(api.notes.add, text=text)
    return ctx.run_query(summary).total

@action
async def forgets(ctx: ActionCtx) -> None:
    ctx.run_query(summary)
""",
    "http.py": """
from convexpy import ActionCtx, JSONResponse, Request, Response, http_router
from . import notes
http = http_router()

@http.route("/health", method="GET")
async def health(ctx: ActionCtx, request: Request) -> Response:
    return JSONResponse({"status": "ok", "q": request.query_params.get("q")})

@http.route(path_prefix="/notes/", method="POST")
async def post(ctx: ActionCtx, request: Request) -> Response:
    await ctx.run_mutation(notes.add, text=(await request.body()).decode())
    return Response(status_code=201, headers={"x-path": request.url.path})

http.cors("/notes/", origins=["https://a.example"], headers=["content-type"])
""",
}


@pytest.fixture
def convex(tmp_path: Path) -> Iterator[LocalTest]:
    folder = tmp_path / "convex"
    folder.mkdir()
    for name, text in MODULES.items():
        (folder / name).write_text(text)
    local = LocalDeployment(folder)
    yield LocalTest(local)
    local.close()
    local.loader.unload()
    assert local.fatal is None


def notes_module(convex: LocalTest):  # type: ignore[no-untyped-def]
    return convex._local.app.modules["notes"]


def test_calls_by_name_and_by_function_object(convex: LocalTest) -> None:
    notes = notes_module(convex)
    convex.mutation("notes:add", text="a")
    convex.mutation(notes.add, {"text": "b"})
    assert [note["text"] for note in convex.query("notes:list")] == ["a", "b"]
    assert convex.query(notes.summary) == notes.Summary(2, None)
    assert convex.query("notes:summary") == {"total": 2, "who": None}


def test_an_identity_reaches_the_function(convex: LocalTest) -> None:
    assert convex.with_identity(subject="u1", name="Sarah").query("notes:summary")["who"] == "Sarah"
    assert convex.query("notes:summary")["who"] is None


def test_failures_undo_and_are_raised(convex: LocalTest) -> None:
    with pytest.raises(ConvexError) as refused:
        convex.mutation("notes:refuse")
    assert refused.value.data == {"code": 7}
    with pytest.raises(FunctionError, match="title is empty"):
        convex.mutation("notes:breaks")
    with pytest.raises(Error, match="missing the required field `text`"):
        convex.mutation("notes:add")
    assert convex.query("notes:list") == []


def test_a_nested_mutation_is_undone_alone(convex: LocalTest) -> None:
    assert convex.mutation("notes:tolerant") == 7
    assert [note["text"] for note in convex.query("notes:list")] == ["kept"]
    assert convex.mutation("notes:bounded") == "LimitExceeded:documents_written"
    assert len(convex.query("notes:list")) == 1


def test_actions_of_both_kinds(convex: LocalTest) -> None:
    assert convex.action("notes:both", text="x") == 1
    assert convex.action("notes:blocking", text="y") == 2
    with pytest.raises(FunctionError, match="await"):
        convex.action("notes:forgets")


def test_a_subscription_follows_commits(convex: LocalTest) -> None:
    with convex.subscribe("notes:summary") as live:
        assert live.value["total"] == 0
        convex.mutation("notes:add", text="a")
        assert live.next()["total"] == 1
        with pytest.raises(TimeoutError):
            live.next(50)


def test_run_writes_straight_to_the_database_or_not_at_all(convex: LocalTest) -> None:
    id = convex.run(lambda ctx: ctx.db.insert("notes", {"text": "direct"}))
    assert convex.query("notes:list")[0]["_id"] == id

    def fails(ctx):  # type: ignore[no-untyped-def]
        ctx.db.delete(id)
        raise KeyError("no")

    with pytest.raises(KeyError):
        convex.run(fails)
    assert len(convex.query("notes:list")) == 1


def test_http_actions_answer_by_route(convex: LocalTest) -> None:
    assert convex.fetch("/health", params={"q": "1"}).json() == {"status": "ok", "q": "1"}
    posted = convex.fetch("/notes/7", method="POST", content="hello")
    assert (posted.status_code, posted.headers["x-path"]) == (201, "/notes/7")
    assert convex.query("notes:list")[0]["text"] == "hello"
    assert convex.fetch("/nothing").status_code == 404
    head = convex.fetch("/health", method="HEAD")
    assert head.status_code == 200
    preflight = {"origin": "https://a.example", "access-control-request-method": "POST"}
    answer = convex.fetch("/notes/7", method="OPTIONS", headers=preflight)
    assert answer.headers["access-control-allow-origin"] == "https://a.example"
    stranger = convex.fetch(
        "/notes/7", method="OPTIONS", headers={**preflight, "origin": "https://b.example"}
    )
    assert "access-control-allow-origin" not in stranger.headers


def test_deployments_of_one_app_share_nothing_but_its_modules(convex: LocalTest) -> None:
    convex.mutation("notes:add", text="a")
    second = LocalDeployment(convex._local.app.folder)
    try:
        assert LocalTest(second).query("notes:list") == []
    finally:
        second.close()


@pytest.mark.parametrize(("function", "name"), [("notes:lost", "notes"), ("notes:lost_index", "by_text")])
def test_a_table_or_index_that_is_not_there_suggests_what_is(
    convex: LocalTest, function: str, name: str
) -> None:
    with pytest.raises(Error, match=f'Did you mean "{name}"'):
        convex.query(function)


def test_a_failure_says_in_which_function_and_where(convex: LocalTest) -> None:
    with pytest.raises(FunctionError) as raised:
        convex.mutation("notes:breaks")
    (note,) = raised.value.__notes__
    assert note.startswith("in notes:breaks\n")
    assert "notes.py" in note
    assert "convexpy/" not in note
    with pytest.raises(Error) as raised_by_result:
        convex.query("notes:promises")
    assert raised_by_result.value.__notes__ == ["in notes:promises"]
