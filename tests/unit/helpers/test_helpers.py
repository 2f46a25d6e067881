"""Functions with a changed ctx, row-level security, relationships, over a made-up engine."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from support.made_up_engine import Actions, Tables

from convexpy import (
    ActionCtx,
    AuthError,
    DocumentNotFound,
    MutationCtx,
    QueryCtx,
    SyncActionCtx,
    action,
    mutation,
    query,
)
from convexpy.errors import ProjectError
from convexpy.helpers import (
    Rules,
    custom_action,
    custom_ctx,
    custom_mutation,
    custom_query,
    get_all_or_raise,
    get_many_from,
    get_many_via,
    get_one_from,
    mutation_with_rls,
    query_with_rls,
    wrap_database_reader,
)


class UserCtx(QueryCtx):
    user: str


def with_user(ctx: QueryCtx) -> Mapping[str, Any]:
    return {"user": f"user at {ctx.now()}"}


user_query = custom_query(query, custom_ctx(with_user, ctx_type=UserCtx))


@user_query(name="me")
def whoami(ctx: UserCtx, twice: bool = False) -> str:
    return ctx.user * 2 if twice else ctx.user


def test_added_fields_reach_the_function_by_both_ways() -> None:
    ctx = QueryCtx(Tables())
    assert whoami.definition.name == "me"
    assert whoami.definition.invoke(ctx, {"twice": True}) == "user at 1000" * 2
    assert whoami(ctx) == "user at 1000"
    assert not hasattr(ctx, "user")


def test_changes_are_made_one_after_the_other() -> None:
    again = custom_query(user_query, custom_ctx(lambda ctx: {"user": ctx.user + "!"}))

    @again
    def name(ctx: UserCtx) -> str:
        return ctx.user

    assert name.definition.invoke(QueryCtx(Tables()), {}) == "user at 1000!"


def test_custom_mutations_and_actions() -> None:
    @custom_mutation(mutation, custom_ctx(lambda ctx: {"db": None}))
    def write(ctx: MutationCtx) -> bool:
        return ctx.db is None

    async def later(ctx: ActionCtx) -> Mapping[str, Any]:
        return {"user": (await ctx.auth.get_user_identity())["subject"]}  # type: ignore[index]

    @custom_action(action, custom_ctx(later))
    async def act(ctx: ActionCtx, n: int) -> list[Any]:
        return [ctx.user, n]  # type: ignore[attr-defined]

    host = Actions()
    host.results["identity"] = {"subject": "s"}
    assert write.definition.invoke(MutationCtx(Tables()), {}) is True
    assert asyncio.run(act(ActionCtx(host), n=1)) == ["s", 1]


def test_a_plain_function_cannot_wait_for_its_ctx() -> None:
    async def later(ctx: Any) -> Mapping[str, Any]:
        return {}

    @custom_action(action, custom_ctx(later))
    def act(ctx: SyncActionCtx) -> None: ...

    with pytest.raises(ProjectError, match="plain def"):
        act.definition.invoke(SyncActionCtx(Actions()), {})


def tables() -> Tables:
    return Tables(
        notes=[{"by": "ann", "text": "a"}, {"by": "bob", "text": "b"}],
        open=[{"x": 1}],
        pairs=[{"note": "notes/1"}, {"note": "notes/9"}],
    )


def rules(ctx: QueryCtx) -> Rules:
    assert ctx.db.query("notes").count() == 2  # the original ctx, which sees everything

    def mine(_: Any, note: Any) -> bool:
        return bool(note["by"] == "ann")

    return {"notes": {"read": mine, "insert": mine, "modify": mine}}


def test_hidden_documents_are_absent_in_reads() -> None:
    @query_with_rls(query, rules)
    def read(ctx: QueryCtx) -> list[Any]:
        notes = ctx.db.query("notes")
        return [
            [
                note["text"]
                for note in notes.with_index("i", by="bob").filter(lambda note: note["by"] == "ann")
            ],
            notes.count(),
            ctx.db.get("notes/1"),
            [note and note["text"] for note in ctx.db.get_many(["notes/0", "notes/1"])],
            ctx.db.query("open").count(),
            ctx.db.get("open/0"),
        ]

    assert read.definition.invoke(QueryCtx(tables()), {}) == [["a"], 1, None, ["a", None], 0, None]


def test_the_default_policy_is_for_what_has_no_rule() -> None:
    ctx = QueryCtx(tables())
    db = wrap_database_reader(ctx, ctx.db, rules(ctx), default_policy="allow")
    assert db.query("open").count() == 1
    assert db.get("open/0") is not None
    assert db.normalize_id("open", "open/0") == "open/0"


def test_forbidden_writes_raise() -> None:
    guarded = mutation_with_rls(mutation, rules)

    @guarded
    def write(ctx: MutationCtx, step: str) -> None:
        match step:
            case "insert":
                ctx.db.insert("notes", {"by": "bob"})
            case "patch":
                ctx.db.patch("notes/1", {"text": "x"})
            case "replace":
                ctx.db.replace("notes", "notes/1", {"by": "ann"})
            case "delete":
                ctx.db.delete("notes/1")
            case "open":
                ctx.db.delete("open/0")
            case _:
                ctx.db.insert("notes", {"by": "ann", "text": "new"})
                ctx.db.patch("notes/0", {"text": "changed"})

    host = tables()
    before = dict(host.documents)
    for step in ("insert", "patch", "replace", "delete", "open"):
        with pytest.raises(AuthError, match="is not allowed"):
            write.definition.invoke(MutationCtx(host), {"step": step})
    assert host.documents == before
    # The rule counts notes, so it is asked before the new one is there.
    write.definition.invoke(MutationCtx(host), {"step": "allowed"})
    assert host.documents["notes/0"]["text"] == "changed"


def test_relationships() -> None:
    db = QueryCtx(tables()).db
    assert [note["text"] for note in get_many_from(db, "notes", "by_by", by="ann")] == ["a", "b"]
    assert get_one_from(db, "open", "i", x=1) == {"_id": "open/0", "x": 1}
    assert [note and note["text"] for note in get_many_via(db, "pairs", "note", "i")] == ["b", None]
    assert len(get_all_or_raise(db, ["notes/0", "notes/1"])) == 2
    with pytest.raises(DocumentNotFound, match="notes/9"):
        get_all_or_raise(db, ["notes/9"])
