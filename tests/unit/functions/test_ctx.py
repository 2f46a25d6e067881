"""The ctx classes over a made-up engine: what they ask of it, and what they give back."""

import asyncio
import gc
import io
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from support.made_up_engine import Actions, Tables

from convexpy import (
    UNSET,
    ActionCtx,
    ArgumentError,
    MutationCtx,
    NotUnique,
    PaginationResult,
    QueryCtx,
    SyncActionCtx,
    TransactionLimits,
    UserIdentity,
    api,
    internal,
    mutation,
    query,
)
from convexpy.functions import Bound


@dataclass
class Profile:
    name: str
    score: float


@query
def profile(ctx: QueryCtx, user: str, limit: int = 3) -> Profile:
    return Profile(user, limit)


@mutation
def save(ctx: MutationCtx, name: str) -> None: ...


profile.definition.path = "users:profile"
save.definition.path = "users:save"


@pytest.fixture
def tables() -> Tables:
    return Tables(users=[{"name": "ann"}, {"name": "bob"}], notes=[{"text": "x"}])


def test_reading_documents(tables: Tables) -> None:
    db = QueryCtx(tables).db
    assert db.get("users/0") == {"_id": "users/0", "name": "ann"}
    assert db.get("users", "users/9") is None
    assert tables.calls == [("get", "users/0", None, False), ("get", "users/9", "users", False)]
    assert [each and each["name"] for each in db.get_many(["users/1", "users/7"])] == ["bob", None]
    assert db.normalize_id("users", "users/0") == "users/0"
    assert db.normalize_id("users", "notes/0") is None
    assert db.system.get("_storage", "x") is None
    assert tables.calls[-1] == ("get", "x", "_storage", True)


def test_queries_are_lazy_and_reusable(tables: Tables) -> None:
    base = QueryCtx(tables).db.query("users")
    backwards = base.order("desc")
    ann = base.filter(lambda user: user["name"] == "ann")
    assert tables.plans == []
    assert [user["name"] for user in base] == ["ann", "bob"]
    assert [user["name"] for user in backwards.collect()] == ["bob", "ann"]
    assert ann.count() == 1
    assert ann.unique() == ann.first() == base.take(1)[0]
    assert base.filter(lambda user: False).first() is None
    with pytest.raises(NotUnique, match=r"unique\(\) query returned more than one result from table users"):
        base.unique()


def test_index_ranges_become_plans(tables: Tables) -> None:
    users = QueryCtx(tables).db.query("users")
    users.with_index("by_name", name="a", city=UNSET).collect()
    users.with_index("by_city", {"origin.city": 3.0}).collect()
    users.with_index("by_name", lambda q: q.eq("name", "a").gte("x", 1.0).lt("x", 9)).order("desc").collect()
    keywords, mapping, ranged = tables.plans
    assert (keywords.index, keywords.ordered) == ("by_name", False)
    assert keywords.equal == (("name", "a"), ("city", UNSET))
    assert repr(mapping.equal) == "(('origin.city', 3),)"
    assert (ranged.equal, ranged.ordered, ranged.order) == ((("name", "a"),), True, "desc")
    assert (ranged.lower, ranged.upper) == (Bound("x", 1, True), Bound("x", 9, False))


@pytest.mark.parametrize(
    ("choose", "error", "words"),
    [
        (lambda q: q.gt("a", 1).eq("b", 1), ArgumentError, "comes before"),
        (lambda q: q.gt("a", 1).gte("a", 2), ArgumentError, "one lower bound"),
        (lambda q: q.lt("a", 1).lte("a", 2), ArgumentError, "one upper bound"),
        (lambda q: None, TypeError, "must return q"),
        (lambda q: q.eq("a", {1}), ArgumentError, "unsupported value at a: set"),
        ("by_name", TypeError, "a function or a mapping"),
    ],
)
def test_wrong_ranges(tables: Tables, choose: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        QueryCtx(tables).db.query("users").with_index("i", choose)


def test_search_is_extended_conditionally(tables: Tables) -> None:
    notes = QueryCtx(tables).db.query("notes")
    notes.with_search_index("s", lambda q: q.search("text", "x").eq("by", "a").eq("n", 2.0)).take(5)
    search = tables.plans[0].search
    assert search is not None
    assert (search.field, search.text, search.equal) == ("text", "x", (("by", "a"), ("n", 2)))


@pytest.mark.parametrize("count", [-1, 1.5, True, "3"])
def test_take_needs_a_count(tables: Tables, count: Any) -> None:
    with pytest.raises(ArgumentError, match="whole number"):
        QueryCtx(tables).db.query("users").take(count)


def test_pages(tables: Tables) -> None:
    users = QueryCtx(tables).db.query("users")
    page = users.paginate({"numItems": 1, "cursor": None})
    assert isinstance(page, PaginationResult)
    assert page.map(lambda user: user["name"])["page"] == ["ann"]
    with pytest.raises(ArgumentError, match="at least 1 document"):
        users.paginate({"numItems": 0, "cursor": None})
    with pytest.raises(ArgumentError, match="missing the required field `cursor`"):
        users.paginate({"numItems": 1})  # type: ignore[typeddict-item]


def test_writing_documents(tables: Tables) -> None:
    db = MutationCtx(tables).db
    id = db.insert("users", Profile("eve", 3.0))
    assert tables.documents[id] == {"_id": id, "name": "eve", "score": 3}
    db.patch(id, {"score": UNSET, "name": "eva"})
    assert tables.documents[id] == {"_id": id, "name": "eva"}
    db.replace("users", id, {"_id": id, "x": [1]})
    assert tables.documents[id] == {"_id": id, "x": [1]}
    db.delete("users", id)
    assert id not in tables.documents
    with pytest.raises(ArgumentError, match="takes an object, not list"):
        db.insert("users", [1])  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="must be a string"):
        db.get(5)  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="takes an id"):
        db.delete()  # type: ignore[call-overload]


def test_results_by_function_object_have_the_annotated_type(tables: Tables) -> None:
    tables.results["users:profile"] = {"name": "ann", "score": 3}
    ctx = MutationCtx(tables)
    by_object = ctx.run_query(profile, user="ann")
    assert isinstance(by_object, Profile)
    assert repr(by_object.score) == "3.0"
    assert ctx.run_query(api.users.profile, user="ann") == {"name": "ann", "score": 3}
    assert ctx.run_query("users.js:profile", {"user": "ann"}) == {"name": "ann", "score": 3}
    assert {call[1] for call in tables.calls} == {"users:profile"}


def test_arguments_are_keywords_or_one_mapping(tables: Tables) -> None:
    tables.results["users:profile"] = {"name": "a", "score": 1}
    ctx = MutationCtx(tables)
    ctx.run_query(profile, {"user": "a"}, limits=TransactionLimits(documents_read=5))
    ctx.run_mutation(internal.users.save, name="a", limits=3, skipped=UNSET)
    ctx.run_mutation("users:save", {"name": ("a",)}, limits=None)
    assert tables.calls == [
        ("query", "users:profile", {"user": "a"}, {"documents_read": 5}),
        ("mutation", "users:save", {"name": "a", "limits": 3}, None),
        ("mutation", "users:save", {"name": ["a"]}, None),
    ]
    with pytest.raises(TypeError, match=r"users:profile are keywords \(user=…, limit=…\) or one mapping"):
        ctx.run_query(profile, "a")
    with pytest.raises(TypeError, match="as a mapping and as keywords"):
        ctx.run_query(profile, {"user": "a"}, limit=3)  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match=r"unsupported value at users:save\.name: set"):
        ctx.run_mutation(save, name={1})  # type: ignore[arg-type]


def test_references_that_name_nothing(tables: Tables) -> None:
    ctx = QueryCtx(tables)
    for wrong in ("", "a b:c", "../x:y", "a:b-c", api, 5):
        with pytest.raises(ArgumentError):
            ctx.run_query(wrong)  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="is a reference"):
        api.users.save(ctx, name="a")  # type: ignore[operator]


def test_identity(tables: Tables) -> None:
    ctx = QueryCtx(tables)
    assert ctx.auth.get_user_identity() is None
    tables.claims = {
        "tokenIdentifier": "i|s",
        "subject": "s",
        "issuer": "i",
        "role": "x",
        "emailVerified": False,
    }
    me = ctx.auth.get_user_identity()
    assert isinstance(me, UserIdentity)
    assert (me.token_identifier, me["role"], me.email, me.email_verified) == ("i|s", "x", None, False)
    assert "email" not in me
    assert dict(me) == tables.claims


def test_meta_and_time(tables: Tables) -> None:
    ctx = QueryCtx(tables)
    assert (ctx.now(), ctx.meta.function, ctx.meta.request_id) == (1000, "messages:send", "3fa1c0de9b12aa07")
    assert (ctx.meta.limits.documents_read.used, ctx.meta.limits.documents_read.remaining) == (3, 7)
    assert ctx.meta.limits.bytes_read.remaining == 0
    assert ctx.random is tables.random
    assert ctx.log is tables.log


def test_scheduling(tables: Tables) -> None:
    scheduler = MutationCtx(tables).scheduler
    assert scheduler.run_after(timedelta(seconds=2), save, name="a") == "job"
    scheduler.run_after(5, "users:save", {"name": "b"})
    scheduler.run_at(datetime(1970, 1, 1, 0, 0, 9, tzinfo=UTC), api.users.save, name="c")
    assert [call[1:] for call in tables.calls] == [
        (3000, "users:save", {"name": "a"}),
        (1005, "users:save", {"name": "b"}),
        (9000, "users:save", {"name": "c"}),
    ]
    with pytest.raises(ArgumentError, match="must not be negative"):
        scheduler.run_after(-1, save, name="a")
    with pytest.raises(ArgumentError, match="is a query"):
        scheduler.run_after(0, profile, user="a")  # type: ignore[call-overload]


def test_replaced_and_added_fields(tables: Tables) -> None:
    ctx = QueryCtx(tables)
    changed = ctx._replace(db="other", user={"name": "ann"}, now=lambda: 5)
    assert (changed.db, changed.user, changed.now()) == ("other", {"name": "ann"}, 5)  # type: ignore[attr-defined,comparison-overlap]
    assert ctx.db.get("users/0") is not None
    assert isinstance(changed, QueryCtx)


def test_actions_await_everything() -> None:
    host = Actions()
    host.results = {
        "users:profile": {"name": "a", "score": 1},
        "identity": {"subject": "s"},
        "schedule": "job",
    }

    async def use() -> None:
        ctx = ActionCtx(host)
        assert await ctx.run_query(profile, user="a") == Profile("a", 1.0)
        await ctx.run_mutation("users:save", name="a")
        me = await ctx.auth.get_user_identity()
        assert me is not None
        assert me.subject == "s"
        assert await ctx.scheduler.run_after(5, save, name="a") == "job"
        await asyncio.gather(ctx.storage.get_url("f"), ctx.storage.delete("f"))  # type: ignore[arg-type]
        assert ctx._unawaited() == []

    asyncio.run(use())
    assert [operation for operation, _ in host.calls] == [
        "call", "call", "identity", "schedule", "storage_url", "storage_delete",
    ]  # fmt: skip
    assert host.calls[0][1] == {"kind": "query", "path": "users:profile", "args": {"user": "a"}}


def test_calls_that_were_never_awaited_are_known_at_the_end() -> None:
    host = Actions()

    async def use() -> list[str]:
        ctx = ActionCtx(host)
        ctx.run_mutation(save, name="a")  # type: ignore[unused-coroutine]
        ctx.storage.delete("f")  # type: ignore[arg-type,unused-coroutine]
        ctx.vector_search("n", "v", vector=[])  # type: ignore[unused-coroutine]
        ctx._replace(x=1).scheduler.cancel("j")  # type: ignore[arg-type,unused-coroutine]
        return ctx._unawaited()

    assert asyncio.run(use()) == [
        "run_mutation(users:save)",
        "storage.delete",
        "vector_search('n')",
        "scheduler.cancel",
    ]
    assert host.calls == []


def test_plain_actions_block() -> None:
    host = Actions()
    host.results = {"users:profile": {"name": "a", "score": 1}, "identity": None, "schedule": "job"}
    ctx = SyncActionCtx(host)
    assert ctx.run_query(profile, user="a") == Profile("a", 1.0)
    assert ctx.auth.get_user_identity() is None
    assert ctx.scheduler.run_after(0, save, name="a") == "job"
    assert ctx.storage.get("f") is None  # type: ignore[arg-type]
    assert (ctx.meta.client_address, ctx.meta.user_agent) == ("127.0.0.1", None)


def test_vector_search_takes_any_numbers() -> None:
    host = Actions()
    host.results["vector_search"] = [{"_id": "n/1", "_score": 0.5}]
    ctx = SyncActionCtx(host)
    hits = ctx.vector_search(
        "n", "v", vector=(1, 0.5), filter=lambda q: q.or_(q.eq("a", 1.0), q.eq("b", None))
    )
    assert hits == [{"_id": "n/1", "_score": 0.5}]
    assert host.calls[0][1] == {
        "table": "n", "index": "v", "vector": [1.0, 0.5], "limit": 10, "filter": [["a", 1], ["b", None]],
    }  # fmt: skip


def contents(tmp_path: Path) -> Iterator[Any]:
    file = tmp_path / "file"
    file.write_bytes(b"abc")
    yield from (
        b"abc",
        bytearray(b"abc"),
        memoryview(b"abc"),
        file,
        io.BytesIO(b"abc"),
        [b"a", b"bc"],
        iter([b"abc"]),
    )


def test_what_can_be_stored(tmp_path: Path) -> None:
    host = Actions()
    host.spool = tmp_path / "spool"
    host.spool.mkdir()

    async def chunks() -> AsyncIterator[bytes]:
        yield b"a"
        yield b"bc"

    async def use() -> None:
        storage = ActionCtx(host).storage
        for content in (*contents(tmp_path), chunks()):
            assert await storage.store(content, content_type="text/plain") == "file"

    asyncio.run(use())
    for content in contents(tmp_path):
        SyncActionCtx(host).storage.store(content, sha256="x")
    assert host.stored == [b"abc"] * 15
    assert (tmp_path / "file").exists()
    for wrong in ("text", 5, ["text"]):
        with pytest.raises(ArgumentError, match="takes"):
            SyncActionCtx(host).storage.store(wrong)  # type: ignore[arg-type]
    assert list(host.spool.iterdir()) == []


def test_stored_files_are_read_whole_and_by_chunks(tmp_path: Path) -> None:
    host = Actions()
    path = tmp_path / "file"
    path.write_bytes(b"x" * 100_000)
    host.results["storage_get"] = {"path": str(path), "size": 100_000, "sha256": "s", "contentType": None}
    host.results[str(path)] = host.results["storage_get"]
    file = SyncActionCtx(host).storage.get("f")  # type: ignore[arg-type]
    assert file is not None
    assert (file.size, file.sha256, file.content_type, len(file.read())) == (100_000, "s", None, 100_000)
    assert sum(len(chunk) for chunk in file) == 100_000

    async def use() -> list[int]:
        file = await ActionCtx(host).storage.get("f")  # type: ignore[arg-type]
        assert file is not None
        assert len(await file.read()) == 100_000
        return [len(chunk) async for chunk in file]

    assert sum(asyncio.run(use())) == 100_000


def test_a_temporary_stored_file_goes_with_the_object(tmp_path: Path) -> None:
    host = Actions()
    path = tmp_path / "file"
    path.write_bytes(b"bytes")
    described = {"path": str(path), "size": 5, "sha256": "s", "contentType": None}
    host.results["storage_get"] = described | {"temporary": True}
    file = SyncActionCtx(host).storage.get("f")  # type: ignore[arg-type]
    assert file is not None
    assert file.read() == b"bytes"
    assert path.exists()
    del file
    gc.collect()
    assert not path.exists()
