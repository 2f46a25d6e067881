"""What `convexpy.auth` asks of the deployment: tokens that it signs, the keys for them, and digests that only it can make."""

from __future__ import annotations

from typing import Any

import msgspec

from convexpy.functions._context import ActionCtx


class IssuedToken(msgspec.Struct, frozen=True, rename="camel"):
    """A signed token, and when it expires in milliseconds since the epoch."""

    token: str
    expires_at: float


async def issue_token(ctx: ActionCtx, *, subject: str, session_id: str, lifetime_ms: float) -> IssuedToken:
    """Return a token of the deployment's own for a user.

    Raises:
        ArgumentError: the lifetime is too long, or there is no subject.
    """
    wanted = {"subject": subject, "sessionId": session_id, "lifetimeMs": lifetime_ms}
    return msgspec.convert(await ctx._requests.ask("token_issue", wanted), IssuedToken)


async def published_keys(ctx: ActionCtx) -> dict[str, Any]:
    """Return `issuer` and `keys`, the JSON Web Keys that verify its tokens."""
    found: dict[str, Any] = await ctx._requests.ask("token_keys", {})
    return found


async def keyed_digest(ctx: ActionCtx, text: str) -> str:
    """Return an HMAC of the text under a key of the deployment, in hex: short codes cannot be guessed from it."""
    return str(await ctx._requests.ask("token_digest", {"text": text}))
