"""The signed-in user."""

from typing import TypedDict

from ._generated.server import QueryCtx, query
from .auth import auth


class Me(TypedDict):
    """What the page shows of the caller."""

    name: str | None
    email: str | None


@query
def me(ctx: QueryCtx) -> Me | None:
    """Return the caller, None if nobody is signed in."""
    user = auth.user(ctx)
    return None if user is None else {"name": user.get("name"), "email": user.get("email")}
