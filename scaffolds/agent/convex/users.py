"""Users: made when they come in, or by the webhook of the sign-in service."""

from ._generated.data_model import UsersDoc, UsersId
from ._generated.server import MutationCtx, QueryCtx, internal_mutation, mutation, query
from .lib.access import claims_of, find_user


@mutation
def enter(ctx: MutationCtx) -> UsersId:
    """Come in: returns the caller's user, made the first time."""
    token_identifier, name, email = claims_of(ctx.auth.get_user_identity())
    return _save(ctx, token_identifier, name, email)


@query
def me(ctx: QueryCtx) -> UsersDoc | None:
    """The caller's user; None before the first `enter`."""
    return find_user(ctx)


@internal_mutation
def save(ctx: MutationCtx, tokenIdentifier: str, name: str, email: str | None = None) -> UsersId:
    """Make a user or bring it up to date: what a webhook of the sign-in service calls."""
    return _save(ctx, tokenIdentifier, name, email)


def _save(ctx: MutationCtx, token_identifier: str, name: str, email: str | None) -> UsersId:
    index = ctx.db.query("users").with_index
    known = index("by_tokenIdentifier", tokenIdentifier=token_identifier).unique()
    if known is None:
        user_id = ctx.db.insert("users", {"tokenIdentifier": token_identifier, "name": name})
    else:
        user_id = known["_id"]
        if known["name"] != name:
            ctx.db.patch(user_id, {"name": name})
    if email is not None and (known is None or known.get("email") != email):
        ctx.db.patch(user_id, {"email": email})
    return user_id
