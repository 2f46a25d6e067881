"""The caller."""

from dataclasses import dataclass

from convexpy import ConvexError, QueryCtx

from .names import clean_name
from .sign_in import NAME_IS_ENOUGH


@dataclass(frozen=True)
class Caller:
    """A person: what identifies them, and the name that others see."""

    identifier: str
    name: str


def find_caller(ctx: QueryCtx, author: str | None) -> Caller | None:
    """The person who is signed in; without sign-in the one of this name; else None."""
    identity = ctx.auth.get_user_identity()
    if identity is not None:
        name = identity.name or identity.nickname or identity.email or identity.subject
        return Caller(identity.token_identifier, name.strip()[:40] or "somebody")
    if NAME_IS_ENOUGH and author is not None:
        name = clean_name(author, "user")
        return Caller(f"name:{name}", name)
    return None


def caller_of(ctx: QueryCtx, author: str | None) -> Caller:
    """The user who is signed in; raises `ConvexError` without one."""
    caller = find_caller(ctx, author)
    if caller is None:
        raise ConvexError({"code": "NotSignedIn", "message": "sign in first"})
    return caller
