"""No functions here: what several modules share. Whoever asks for a QueryCtx also takes a MutationCtx."""

from convexpy import AuthError
from convexpy.helpers import Rules

from .._generated.data_model import SessionsDoc, UsersDoc
from .._generated.server import QueryCtx


def current_user(ctx: QueryCtx) -> UsersDoc:
    identity = ctx.auth.get_user_identity()
    if identity is None:
        raise AuthError("not signed in")
    user = ctx.db.query("users").with_index("by_token", tokenIdentifier=identity.token_identifier).unique()
    if user is None:
        raise AuthError("unknown user")
    return user


def rules(ctx: QueryCtx) -> Rules:
    me = current_user(ctx)

    def mine(_: QueryCtx, session: SessionsDoc) -> bool:
        return session["userId"] == me["_id"]

    return {"sessions": {"read": mine, "modify": mine}}
