"""What a type checker must infer for an app (`assert_type`), and what it must refuse (lines with a mark).

A mark that is no longer needed is an error as well, so each refusal is proven. The app is in `chat`; mypy and pyright, both
strict, are run over it by `test_typed_surface.py`.
"""

from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

import convexpy
from convexpy import (
    UNSET,
    ActionFunction,
    MutationFunction,
    PaginationOptions,
    PaginationResult,
    QueryFunction,
    ScheduledFunctionDoc,
    ScheduledFunctionId,
    StorageDoc,
    StorageId,
    SyncActionFunction,
    UserIdentity,
    VectorHit,
    define_schema,
    define_table,
    v,
)
from convexpy.helpers import get_one_from, wrap_database_reader
from convexpy.testing import ConvexTest
from typing_extensions import assert_type

from chat import agents, messages, users
from chat._generated.api import api, internal
from chat._generated.data_model import (
    MessagesDoc,
    MessagesDoc1,
    MessagesDoc2,
    MessagesId,
    SessionsDoc,
    SessionsId,
    UsersDoc,
    UsersFields,
    UsersId,
)
from chat._generated.server import (
    ActionCtx,
    MutationCtx,
    QueryCtx,
    SyncActionCtx,
    action,
    mutation,
    query,
)
from chat.sessions import mutations, queries

# Decorators keep arguments and results


@query
def plain(ctx: QueryCtx, a: int, b: str = "") -> float:
    return a


@mutation(args={"a": v.int()}, returns=v.null(), name="other")
def with_options(ctx: MutationCtx, a: int) -> None: ...


@action(timeout=timedelta(seconds=5))
async def asynchronous(ctx: ActionCtx) -> bytes:
    return b""


@action
def blocking(ctx: SyncActionCtx) -> bytes:
    return b""


@query
def untyped_tables(ctx: convexpy.QueryCtx) -> dict[str, Any] | None:  # a ctx of convexpy itself may be asked for
    return ctx.db.get("anything")


@query  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
def writes_in_a_query(ctx: MutationCtx) -> None: ...


def functions(q: QueryCtx, m: MutationCtx, s: SyncActionCtx, a: ActionCtx) -> None:
    assert_type(plain(q, a=1, b="x"), float)
    assert_type(plain(m, a=1), float)  # a MutationCtx is a QueryCtx
    assert_type(with_options(m, a=1), None)
    assert_type(blocking(s), bytes)
    coroutine = assert_type(asynchronous(a), Coroutine[Any, Any, bytes])
    plain(q)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    plain(q, a="1")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    with_options(q, a=1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    blocking(a)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    one: QueryFunction[..., float] = plain
    two: MutationFunction[..., None] = with_options
    three: ActionFunction[..., bytes] = asynchronous
    four: SyncActionFunction[..., bytes] = blocking
    print(coroutine, one, two, three, four)


# Calls: by function object, by `api`, by name


def calls(ctx: MutationCtx, id: SessionsId) -> None:
    assert_type(ctx.run_query(plain, a=1), float)
    assert_type(ctx.run_query(queries.get, sessionId=id), SessionsDoc | None)
    assert_type(ctx.run_query(queries.get, {"sessionId": id}), SessionsDoc | None)
    assert_type(ctx.run_query(messages.search, text="x"), list[MessagesDoc])
    assert_type(ctx.run_query(api.messages.search, text="x", sessionId=None), list[MessagesDoc])
    assert_type(ctx.run_mutation(api.sessions.mutations.create, city="Bern"), SessionsId)
    assert_type(ctx.run_mutation(internal.users.upsert, tokenIdentifier="t", name="n"), UsersId)
    reference: convexpy.QueryReference[..., SessionsDoc | None] = api.sessions.queries.get
    assert_type(ctx.run_query(reference, sessionId=id), SessionsDoc | None)
    other: convexpy.MutationReference[..., Any] = api.sessions.queries.get  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]
    print(other)
    assert_type(ctx.run_query(api.sessions.queries.get, sessionId=id), SessionsDoc | None)
    assert_type(ctx.run_query("sessions/queries:get", sessionId=id), Any)
    assert_type(ctx.run_query("sessions/queries:get", {"sessionId": id}), Any)
    assert_type(ctx.run_query(convexpy.api.sessions.queries.get, sessionId=id), Any)
    assert_type(ctx.run_query(users.profile), users.Profile)  # by function object: an instance
    ctx.run_query(api.users.profile)["name"]  # by `api`: a plain object
    ctx.run_mutation(internal.users.upsert, tokenIdentifier="t", name="n")

    ctx.run_query(plain)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]
    ctx.run_query(plain, a="1")  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]
    ctx.run_query(plain, {"a": 1}, b="x")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    ctx.run_query(mutations.create)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]
    ctx.run_mutation(queries.get, sessionId=id)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]
    ctx.run_query(api.sessions.queries.get, id)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]
    ctx.run_query(api.sessions.queries.get, session=id)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]
    api.sessions.mutations.remind  # type: ignore[attr-defined]  # pyright: ignore
    api.messages.list(ctx, sessionId=id)  # type: ignore[operator]  # pyright: ignore[reportCallIssue]


async def awaited(ctx: ActionCtx, id: SessionsId) -> None:
    assert_type(await ctx.run_query(messages.list_, sessionId=id), list[str])
    assert_type(await ctx.run_mutation(mutations.create, city="Bern"), SessionsId)
    assert_type(await ctx.run_action(agents.transcript, sessionId=id), StorageId)
    assert_type(await ctx.run_action(agents.check, storageId=StorageId("")), int)  # a plain `def` action
    assert_type(await ctx.auth.get_user_identity(), UserIdentity | None)
    hits = await ctx.vector_search("messages", "by_embedding", vector=[1, 0.5], filter=lambda q: q.or_(q.eq("sessionId", id)))
    assert_type(hits, list[VectorHit[MessagesId]])
    await ctx.vector_search("users", "by_embedding", vector=[])  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await ctx.vector_search("messages", "by_embedding", vector=[], filter=lambda q: q.eq("kind", 1))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    ctx.db  # type: ignore[attr-defined]  # pyright: ignore
    stored = await ctx.storage.get(StorageId(""))
    assert stored is not None
    assert_type(await stored.read(), bytes)
    async for chunk in stored:
        assert_type(chunk, bytes)


def blocking_calls(ctx: SyncActionCtx, id: SessionsId) -> None:
    assert_type(ctx.run_query(messages.list_, sessionId=id), list[str])
    assert_type(ctx.run_action(agents.transcript, sessionId=id), StorageId)
    stored = ctx.storage.get(ctx.storage.store(b""))
    assert stored is not None
    assert_type(stored.read(), bytes)


def scheduling(ctx: MutationCtx, id: SessionsId) -> None:
    job = ctx.scheduler.run_after(timedelta(minutes=5), internal.sessions.mutations.remind, sessionId=id)
    assert_type(job, ScheduledFunctionId)
    ctx.scheduler.run_at(datetime.now(timezone.utc), mutations.remind, {"sessionId": id})
    ctx.scheduler.run_after(0, "sessions/mutations:remind", sessionId=id)
    ctx.scheduler.cancel(job)
    ctx.scheduler.run_after(0, queries.get, sessionId=id)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]
    ctx.scheduler.run_after(0, internal.sessions.mutations.remind)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]
    ctx.scheduler.cancel("…")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


# Database


@dataclass
class NewUser:
    tokenIdentifier: str
    name: str


def reading(ctx: QueryCtx, user: UsersId, message: MessagesId, either: UsersId | SessionsId, opts: PaginationOptions) -> None:
    assert_type(ctx.db.get(user), UsersDoc | None)
    assert_type(ctx.db.get("users", user), UsersDoc | None)
    assert_type(ctx.db.get(either), UsersDoc | SessionsDoc | None)
    assert_type(ctx.db.get_many([user]), list[UsersDoc | None])
    assert_type(ctx.db.normalize_id("messages", "…"), MessagesId | None)
    found = ctx.db.get(message)
    if found is not None and found["kind"] == "text":
        assert_type(found, MessagesDoc1)
    elif found is not None:
        assert_type(found, MessagesDoc2)
    page = ctx.db.query("sessions").with_index("by_userId", userId=user).paginate(opts)
    assert_type(page, PaginationResult[SessionsDoc])
    assert_type(page["page"], list[SessionsDoc])
    assert_type(page.map(lambda session: session["startedAt"]), PaginationResult[float])
    assert_type(ctx.db.query("users").first(), UsersDoc | None)
    assert_type(ctx.db.query("users").collect(), list[UsersDoc])
    assert_type(ctx.db.query("users").with_index("by_token", tokenIdentifier="t").unique(), UsersDoc | None)
    assert_type(ctx.db.query("sessions").with_index("by_userId", userId=user).collect(), list[SessionsDoc])
    assert_type(ctx.db.query("sessions").with_index("by_userId", lambda q: q.eq("userId", user)).first(), SessionsDoc | None)
    assert_type(ctx.db.query("sessions").order("desc").take(5), list[SessionsDoc])
    for session in ctx.db.query("sessions").with_index("by_status_started", status="running"):
        assert_type(session, SessionsDoc)
        assert_type(session["startedAt"], float)
        assert_type(session["_id"], SessionsId)
    assert_type(ctx.db.system.get(StorageId("")), StorageDoc | None)
    assert_type(ctx.db.system.query("_scheduled_functions").collect(), list[ScheduledFunctionDoc])
    ctx.db.query("sessions").with_index("by_city", {"origin.city": "Bern"}).count()
    ctx.db.query("sessions").with_index("by_city", lambda q: q.eq("origin.city", "Bern").gt("_creationTime", 0))

    ctx.db.get("…")  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]
    ctx.db.get("users", message)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]
    ctx.db.query("user")  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]
    ctx.db.query("users").with_index("by_name")  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]
    ctx.db.query("sessions").with_index("by_started")  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]
    ctx.db.query("sessions").with_index("by_userId", user=user)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]
    ctx.db.query("sessions").with_index("by_userId", userId="u")  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType]
    ctx.db.query("sessions").with_index("by_userId", lambda q: q.eq("status", 1))  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType]
    ctx.db.query("messages").with_search_index("search_text", lambda q: q.search("kind", ""))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    ctx.db.insert  # type: ignore[attr-defined]  # pyright: ignore


def writing(ctx: MutationCtx, user: UsersId, session: SessionsDoc, unchecked: dict[str, Any]) -> None:
    assert_type(ctx.db.insert("users", {"tokenIdentifier": "t", "name": "n"}), UsersId)
    ctx.db.insert("users", {"tokenIdentifier": "t", "name": "n", "email": UNSET})
    ctx.db.insert("users", NewUser("t", "n"))
    ctx.db.patch(user, {"email": UNSET})
    ctx.db.replace(session["_id"], session)  # as it was read
    ctx.db.delete(user)
    changes: UsersFields = {"tokenIdentifier": "t", "name": "n"}
    ctx.db.replace("users", user, changes)
    ctx.db.patch(user, changes)

    ctx.db.insert("users", {"name": "n"})  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]
    ctx.db.insert("users", {"tokenIdentifier": 1, "name": "n"})  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]
    ctx.db.insert("users", unchecked)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]
    ctx.db.patch(user, {"nam": "n"})  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]
    ctx.db.patch(user, {"name": None})  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]
    ctx.db.delete("…")  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType]


# Helpers: typed with the generated ctx, or with the one of convexpy


def of_any_app(ctx: convexpy.QueryCtx) -> dict[str, Any] | None:
    return ctx.db.query("users").first()


def writes(ctx: convexpy.MutationCtx) -> None: ...


def helpers(q: QueryCtx, m: MutationCtx) -> None:
    of_any_app(q)
    of_any_app(m)
    writes(m)
    writes(q)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def rest(ctx: QueryCtx) -> None:
    identity = ctx.auth.get_user_identity()
    if identity is not None:
        assert_type(identity.token_identifier, str)
        assert_type(identity["role"], Any)
        as_mapping: Mapping[str, Any] = identity
        assert as_mapping
    assert_type(ctx.meta.limits.documents_read.remaining, int)
    assert_type(ctx.random.random(), float)
    define_schema(a=define_table(x=v.number()).index("by_x", ["x"]), b=define_table(NewUser), schema_validation=False)
    v.object(a=v.literal("x", 1), b=v.of(list[int])).pick("a").extend({"c": v.any()}).partial()
    v.object({"a": "string"})  # type: ignore[dict-item]  # pyright: ignore[reportArgumentType]


# Tests of an app


def test_calls(convex: ConvexTest, id: SessionsId) -> None:
    me = convex.with_identity(subject="u1")
    assert_type(me.query(queries.get, sessionId=id), SessionsDoc | None)
    assert_type(me.mutation("sessions/mutations:create"), Any)
    assert_type(convex.run(writer), UsersId)
    with convex.subscribe(messages.search, text="x") as live:
        assert_type(live.value, list[MessagesDoc])
    assert convex.fetch("/health").status_code == 200


def writer(ctx: MutationCtx) -> UsersId:
    return ctx.db.insert("users", {"tokenIdentifier": "t", "name": "n"})


# What only this package adds: pages are made by hand, validators by annotation, helpers keep their forms


def pages(sessions: list[SessionsDoc]) -> PaginationResult[SessionsDoc]:
    page = PaginationResult(page=sessions, isDone=True, continueCursor="")
    assert_type(page.map(lambda session: session["startedAt"]), PaginationResult[float])
    assert_type(page.splitCursor, str | None)
    return page


def validators() -> None:
    assert_type(v.of(int), convexpy.Validator)
    assert_type(convexpy.pagination_result(v.any()), convexpy.ObjectValidator)
    assert_type(convexpy.to_ms(convexpy.from_ms(0)), float)
    convexpy.Int64("5")
    v.id(5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def relationships(ctx: convexpy.QueryCtx) -> None:
    assert_type(get_one_from(ctx.db, "users", "by_token", tokenIdentifier="t"), dict[str, Any] | None)
    assert_type(wrap_database_reader(ctx, ctx.db, {}), convexpy.DatabaseReader)
