"""Sessions and their refresh tokens.

A refresh token is `<session>.<family secret>.<secret>`; the session keeps digests. The last part changes at each use. Two
tabs, or a request that is repeated because its answer was lost, may use one token twice within the grace: both get a
token, and each is good for the next use. Any other old token of the family has been stolen, or its successor has: the
session ends.
"""

from __future__ import annotations

import hmac
import logging
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import msgspec

from convexpy.auth._tables import SESSIONS
from convexpy.auth._texts import digest, new_secret
from convexpy.functions import MutationCtx, QueryCtx

logger: logging.Logger = logging.getLogger("convexpy.auth")
SIBLINGS_MAX = 8
USER_AGENT_LENGTH_MAX = 256


class Lifetimes(msgspec.Struct, frozen=True):
    """How long tokens and sessions last; `reuse` is the grace of a refresh token that was used."""

    token: timedelta = timedelta(hours=1)
    idle: timedelta = timedelta(days=30)
    session: timedelta = timedelta(days=180)
    reuse: timedelta = timedelta(seconds=10)


class RefreshToken(msgspec.Struct, frozen=True):
    """A refresh token without its session, as the client holds it."""

    family: str
    secret: str

    @classmethod
    def create(cls, family: str | None = None) -> RefreshToken:
        """Return a new token, of a family that there is or of a new one."""
        return cls(family or new_secret(), new_secret())

    def text(self, session_id: str) -> str:
        """Return it as it is sent."""
        return f"{session_id}.{self.family}.{self.secret}"

    @property
    def digests(self) -> tuple[str, str]:
        """What is kept of it."""
        return digest(self.family), digest(self.secret)


def read_refresh_token(text: str) -> tuple[str, RefreshToken] | None:
    """Return the session that a token names, and the token; None if it is none."""
    parts = text.split(".")
    return (parts[0], RefreshToken(parts[1], parts[2])) if len(parts) == 3 and all(parts) else None


class NewSession(msgspec.Struct, frozen=True, kw_only=True):
    """What a mutation needs to make a session: digests of the refresh token, and the browser's name."""

    family_digest: str
    token_digest: str
    user_agent: str = ""


def create_session(ctx: MutationCtx, user_id: str, new: NewSession, lifetimes: Lifetimes) -> str:
    """Return the id of a new session of a user."""
    now = float(ctx.now())
    for old in (
        ctx.db.query(SESSIONS).with_index("by_expiration", lambda q: q.lt("expirationTime", now)).take(2)
    ):
        ctx.db.delete(old["_id"])
    document = {
        "userId": user_id,
        "familyDigest": new.family_digest,
        "current": [new.token_digest],
        "previous": [],
        "rotatedTime": now,
        "idleExpirationTime": now + _ms(lifetimes.idle),
        "expirationTime": now + _ms(lifetimes.session),
    }
    if new.user_agent:
        document["userAgent"] = new.user_agent[:USER_AGENT_LENGTH_MAX]
    return ctx.db.insert(SESSIONS, document)


def rotate(
    ctx: MutationCtx, session_id: str, used: tuple[str, str], successor: str, lifetimes: Lifetimes
) -> Mapping[str, Any] | None:
    """Replace the digest of a used refresh token by its successor's; return the session, None if the token is not good.

    `used` are the digests of family and token. A token that was used before ends the session.
    """
    found = find_session(ctx, session_id)
    family, token = used
    if found is None or not hmac.compare_digest(found["familyDigest"], family):
        return None
    now = float(ctx.now())
    if now >= min(found["idleExpirationTime"], found["expirationTime"]):
        ctx.db.delete(found["_id"])
        return None
    current: Sequence[str] = found["current"]
    if token in current:
        changes = {"current": [successor], "previous": list(current), "rotatedTime": now}
    elif _in_grace(found, token, now, lifetimes):
        changes = {"current": [*current, successor]}
    else:
        logger.warning("session %s has ended: a refresh token was used twice", found["_id"])
        ctx.db.delete(found["_id"])
        return None
    ctx.db.patch(found["_id"], {**changes, "idleExpirationTime": now + _ms(lifetimes.idle)})
    return found


def _in_grace(session: Mapping[str, Any], token: str, now: float, lifetimes: Lifetimes) -> bool:
    is_recent = now - session["rotatedTime"] <= _ms(lifetimes.reuse)
    return is_recent and token in session["previous"] and len(session["current"]) < SIBLINGS_MAX


def find_session(ctx: QueryCtx, session_id: str) -> Mapping[str, Any] | None:
    """Return a session by what may be its id."""
    id = ctx.db.normalize_id(SESSIONS, session_id)
    return None if id is None else ctx.db.get(id)


def sessions_of(ctx: QueryCtx, user_id: str) -> list[Mapping[str, Any]]:
    """Return the sessions of a user, the oldest first."""
    return list(ctx.db.query(SESSIONS).with_index("by_user", userId=user_id).collect())


def end_sessions(ctx: MutationCtx, user_id: str, *, but: str | None = None) -> None:
    """End the sessions of a user, all or all but one."""
    for session in sessions_of(ctx, user_id):
        if session["_id"] != but:
            ctx.db.delete(session["_id"])


def _ms(span: timedelta) -> float:
    return span.total_seconds() * 1000
