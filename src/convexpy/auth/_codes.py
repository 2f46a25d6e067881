"""One-time codes: hashed, used once, for a while, and with few attempts. Each kind says what it is good for."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Literal, TypeAlias

import msgspec

from convexpy.auth._accounts import PASSWORD, find_account, user_by_email
from convexpy.auth._rate_limits import Delays, take_attempt
from convexpy.auth._tables import CODES
from convexpy.functions import MutationCtx, QueryCtx
from convexpy.values import Document

CodeKind: TypeAlias = Literal["verify", "reset", "sign-in", "link", "change-email"]
ATTEMPTS_MAX = 5
MAIL_DELAYS = Delays(
    free=3, first=timedelta(seconds=30), longest=timedelta(hours=1), forgotten=timedelta(hours=6)
)


class BeginCode(msgspec.Struct, frozen=True, kw_only=True):
    """A code that is to be sent: `digest` is that of the code, `pending` what becomes true with it."""

    kind: CodeKind
    email: str
    digest: str
    lifetime_ms: float
    pending: dict[str, Any] = {}


class BegunCode(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the code was stored; if not, whether to wait until `retry_at`, or the address is not one for it."""

    stored: bool
    retry_at: float | None = None


def begin_code(ctx: MutationCtx, code: BeginCode) -> BegunCode:
    """Store a code in the place of an earlier one, if the address may get one and is one for this kind."""
    retry_at = take_attempt(ctx, f"mail:{code.email}", MAIL_DELAYS)
    if retry_at is not None:
        return BegunCode(stored=False, retry_at=retry_at)
    if not _is_wanted(ctx, code):
        return BegunCode(stored=False)
    now = float(ctx.now())
    old = ctx.db.query(CODES).with_index("by_expiration", lambda q: q.lt("expirationTime", now)).take(2)
    earlier = ctx.db.query(CODES).with_index("by_kind", kind=code.kind, email=code.email).collect()
    for id in {each["_id"] for each in (*old, *earlier)}:
        ctx.db.delete(id)
    ctx.db.insert(
        CODES,
        {
            "kind": code.kind,
            "email": code.email,
            "digest": code.digest,
            "attempts": 0,
            "expirationTime": now + code.lifetime_ms,
            "pending": code.pending,
        },
    )
    return BegunCode(stored=True)


def _is_wanted(ctx: QueryCtx, code: BeginCode) -> bool:
    account = find_account(ctx, PASSWORD, code.email)
    if code.kind == "verify":
        return account is None or account.get("emailVerified") is None
    known = account is not None or user_by_email(ctx, code.email) is not None
    return known if code.kind == "reset" else not known if code.kind == "change-email" else True


def redeem_code(ctx: MutationCtx, kind: CodeKind, email: str, digest: str) -> Mapping[str, Any] | None:
    """Return what was pending on a code, which is gone then; None if it is wrong. Every try counts."""
    found = ctx.db.query(CODES).with_index("by_kind", kind=kind, email=email).first()
    return None if found is None else _taken(ctx, found, digest)


def redeem_link(ctx: MutationCtx, digest: str) -> str | None:
    """Return the address that a link was sent to; None if there is no such link. It is gone then."""
    found = ctx.db.query(CODES).with_index("by_digest", digest=digest).first()
    if found is None or found["kind"] != "link" or _taken(ctx, found, digest) is None:
        return None
    return str(found["email"])


def _taken(ctx: MutationCtx, code: Document, digest: str) -> Mapping[str, Any] | None:
    is_right = hmac.compare_digest(code["digest"], digest)
    attempts = int(code["attempts"]) + 1
    is_over = ctx.now() >= code["expirationTime"]
    if is_right or is_over or attempts >= ATTEMPTS_MAX:
        ctx.db.delete(code["_id"])
    else:
        ctx.db.patch(code["_id"], {"attempts": attempts})
    pending: Mapping[str, Any] = code["pending"]
    return pending if is_right and not is_over else None
