from ._generated.data_model import UsersDoc, UsersId
from ._generated.server import MutationCtx, QueryCtx, internal_query, mutation


@mutation
def add(ctx: MutationCtx, name: str) -> UsersId:
    return ctx.db.insert("users", {"name": name})


@mutation
def touch(ctx: MutationCtx, userId: UsersId) -> None:
    ctx.db.patch(userId, {"name": "touched"})


@internal_query
def get(ctx: QueryCtx, userId: UsersId) -> UsersDoc | None:
    return ctx.db.get(userId)
