"""Queries and mutations of the examples in the Python reference."""

from dataclasses import dataclass
from datetime import timedelta

from convexpy import (
    UNSET,
    ArgumentError,
    ConvexError,
    DocumentNotFound,
    IndexRange,
    Int64,
    LimitExceeded,
    NotUnique,
    PaginationOptions,
    PaginationResult,
    ReturnsError,
    ScheduledFunctionDoc,
    ScheduledFunctionId,
    SchemaViolation,
    TransactionLimits,
    UserIdentity,
    api,
    from_ms,
    internal,
    pagination_opts,
    pagination_result,
    to_ms,
    v,
)

from ._generated.server import MutationCtx, QueryCtx, internal_mutation, internal_query, mutation, query


# example: query QueryCtx QueryFunction QueryDecorator TableQuery Query
@query
def of_owner(ctx: QueryCtx, owner: str, limit: int = 50) -> list[str]:
    """The newest notes of somebody."""
    found = ctx.db.query("notes").with_index("by_owner", owner=owner).order("desc")
    return [note["text"] for note in found.take(limit)]
# end


# example: mutation MutationCtx MutationFunction MutationDecorator DatabaseWriter
@mutation
def add(ctx: MutationCtx, owner: str, text: str) -> str:
    """Add a note, and return its id."""
    note = ctx.db.insert("notes", {"owner": owner, "text": text, "tags": []})
    ctx.db.patch(note, {"due": ctx.now() + 86_400_000})
    return note
# end


# example: internal_query DatabaseReader
@internal_query
def first_of(ctx: QueryCtx, ids: list[str]) -> str | None:
    """The text of the first note that is still there."""
    for note in ctx.db.get_many(ids):
        if note is not None:
            return str(note["text"])
    return None
# end


# example: internal_mutation Scheduler ScheduledFunctionId
@internal_mutation
def remind_tomorrow(ctx: MutationCtx, noteId: str) -> ScheduledFunctionId:
    """Schedule a mutation; it is stored with what this one writes."""
    return ctx.scheduler.run_after(timedelta(days=1), internal.notes.remove, noteId=noteId)
# end


# example: UNSET
@mutation
def forget_due(ctx: MutationCtx, noteId: str) -> None:
    """Remove an optional field."""
    ctx.db.patch(noteId, {"due": UNSET})
# end


# example: IndexRange
def after(q: IndexRange[str], owner: str, since: float) -> IndexRange[str]:
    """Equalities first, in the order of the index; then one range."""
    return q.eq("owner", owner).gt("_creationTime", since)


@query
def since(ctx: QueryCtx, owner: str, moment: float) -> int:
    """How many notes are newer."""
    return ctx.db.query("notes").with_index("by_owner", lambda q: after(q, owner, moment)).count()
# end


# example: PaginationOptions PaginationResult
@query
def page(ctx: QueryCtx, owner: str, paginationOpts: PaginationOptions) -> PaginationResult[str]:
    """A page of texts, for `usePaginatedQuery`."""
    found = ctx.db.query("notes").with_index("by_owner", owner=owner)
    return found.paginate(paginationOpts).map(lambda note: note["text"])
# end


# example: pagination_opts pagination_result
@query(args={"paginationOpts": pagination_opts}, returns=pagination_result(v.string()))
def names(ctx, paginationOpts):
    """The same with validators instead of annotations."""
    return ctx.db.query("users").paginate(paginationOpts).map(lambda user: user["name"])
# end


# example: Auth UserIdentity AuthError
@query
def who(ctx: QueryCtx) -> str:
    """Who calls. A token that is not valid never comes here: it is an `AuthError`."""
    identity: UserIdentity | None = ctx.auth.get_user_identity()
    return "nobody" if identity is None else identity.name or identity.subject
# end


# example: Meta
@query
def about_me(ctx: QueryCtx) -> str:
    """What is known of the call."""
    read = ctx.meta.limits.documents_read.used
    return f"{ctx.meta.function} has read {read} documents"
# end


# example: TransactionLimits LimitExceeded
@mutation
def careful(ctx: MutationCtx, owner: str) -> str:
    """Give a nested call less than the transaction has."""
    try:
        return ctx.run_mutation(add_many, {"owner": owner}, limits=TransactionLimits(documents_written=2))
    except LimitExceeded as error:
        return error.limit
# end


@internal_mutation
def add_many(ctx: MutationCtx, owner: str) -> str:
    """Too many for `careful`."""
    for number in range(5):
        add(ctx, owner, str(number))
    return "done"


# example: ConvexError
@mutation
def rename(ctx: MutationCtx, noteId: str, text: str) -> None:
    """What the caller should know is data; everything else is a bug."""
    if not text.strip():
        raise ConvexError({"code": "NoText", "message": "a note needs a text"})
    ctx.db.patch(noteId, {"text": text})
# end


# example: DocumentNotFound
@internal_mutation
def remove(ctx: MutationCtx, noteId: str) -> bool:
    """Whether there was something to remove."""
    try:
        ctx.db.delete(noteId)
    except DocumentNotFound:
        return False
    return True
# end


# example: NotUnique
@query
def named(ctx: QueryCtx, name: str) -> str | None:
    """The id of the one user of a name."""
    try:
        user = ctx.db.query("users").with_index("by_name", name=name).unique()
    except NotUnique:
        raise ConvexError({"code": "SeveralPeople"}) from None
    return None if user is None else user["_id"]
# end


# example: SchemaViolation Error
@mutation
def insert_anything(ctx: MutationCtx, document: dict[str, str]) -> str:
    """Say why the schema refuses a document."""
    try:
        return ctx.db.insert("users", document)
    except SchemaViolation as error:
        return f"{error.code}: {error.message}"
# end


# example: ArgumentError
def is_member(value: object) -> bool:
    """Check a value by hand."""
    try:
        v.object({"name": v.string()}).check(value)
    except ArgumentError:
        return False
    return True
# end


# example: ObjectValidator
user_fields = v.object({"name": v.string(), "email": v.string(), "age": v.number()})
public_fields = user_fields.omit("email")
changes = user_fields.pick("name", "age").partial()
with_id = user_fields.extend({"_id": v.id("users")})
# end


# example: ModelInstance
@dataclass
class Point:
    """Instances stand for objects, in arguments, results and documents."""

    x: float
    y: float


@query
def mirrored(ctx: QueryCtx, point: Point) -> Point:
    """Get an instance, return one."""
    return Point(point.y, point.x)
# end


# example: Int64
@query
def next_number(ctx: QueryCtx, number: Int64) -> Int64:
    """A bigint in JavaScript, exact to 64 bits."""
    return Int64(number + 1)
# end


# example: from_ms to_ms
def next_midnight(now_ms: float) -> float:
    """Calculate with datetimes, store milliseconds."""
    day = from_ms(now_ms).replace(hour=0, minute=0, second=0, microsecond=0)
    return to_ms(day + timedelta(days=1))
# end


# example: StorageReader StorageMetadata StorageId
@query
def file_url(ctx: QueryCtx, fileId: str) -> str | None:
    """Where a browser gets a stored file, if there is one."""
    file = ctx.db.get("files", fileId)
    return None if file is None else ctx.storage.get_url(file["storageId"])
# end


# example: StorageWriter
@mutation
def upload_url(ctx: MutationCtx) -> str:
    """Where a browser sends a file, within an hour."""
    return ctx.storage.generate_upload_url()
# end


# example: StorageDoc
@query
def sizes(ctx: QueryCtx) -> list[float]:
    """The sizes of the newest files."""
    return [file["size"] for file in ctx.db.system.query("_storage").order("desc").take(10)]
# end


# example: ScheduledFunctionDoc
@query
def is_waiting(ctx: QueryCtx, jobId: ScheduledFunctionId) -> bool:
    """Whether a job has not begun."""
    job: ScheduledFunctionDoc | None = ctx.db.system.get(jobId)
    return job is not None and job["state"]["kind"] == "pending"
# end


# example: api internal AnyReference FunctionReference QueryReference MutationReference
@mutation
def add_and_count(ctx: MutationCtx, owner: str) -> int:
    """Call functions by reference; the generated `api` and `internal` know their types."""
    ctx.run_mutation(api.notes.add, owner=owner, text="counted")
    return ctx.run_query(api.notes.since, owner=owner, moment=0)
# end


# example: ReturnsError
@query
def wrong(ctx: QueryCtx) -> int:
    """What it returns does not fit: callers get a `ReturnsError` that names the function."""
    return "one"  # type: ignore[return-value]


@query
def is_wrong(ctx: QueryCtx) -> bool:
    """Whether `wrong` is."""
    try:
        ctx.run_query(wrong)
    except ReturnsError:
        return True
    return False
# end


@internal_mutation
def broken(ctx: MutationCtx) -> None:
    """For `outside:careful`."""
    raise ValueError("a bug")
