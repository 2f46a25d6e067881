"""The transactions of sign-in: internal functions, which the actions call with digests, never with secrets."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import msgspec

from convexpy.auth._accounts import (
    EMAIL,
    PASSWORD,
    Profile,
    Users,
    accounts_of,
    change_email,
    find_account,
    set_password,
    user_by_email,
)
from convexpy.auth._codes import BeginCode, BegunCode, begin_code, redeem_code, redeem_link
from convexpy.auth._rate_limits import Delays, forget_attempts, take_attempt
from convexpy.auth._sessions import Lifetimes, NewSession, create_session, end_sessions, find_session, rotate
from convexpy.auth._tables import USERS
from convexpy.auth._texts import refuse
from convexpy.functions import (
    MutationCtx,
    MutationFunction,
    QueryCtx,
    QueryFunction,
    internal_mutation,
    internal_query,
)

PASSWORD_DELAYS = Delays(free=5, first=timedelta(seconds=1), longest=timedelta(minutes=5))


class Started(msgspec.Struct, frozen=True):
    """A session that has begun."""

    user_id: str
    session_id: str


class PasswordAttempt(msgspec.Struct, frozen=True, kw_only=True):
    """An attempt with a password: to be made later, or the hash to compare with, if there is such an account."""

    retry_at: float | None = None
    secret: str | None = None
    is_verified: bool = False


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """The user who calls; `email` is that of a password account, if there is one. `started_at` is in milliseconds."""

    user_id: str
    session_id: str
    started_at: float
    email: str | None = None


def own_issuer() -> str:
    """Return the issuer of the deployment's own tokens."""
    return os.environ["CONVEX_SITE_URL"].rstrip("/")


def current_session(ctx: QueryCtx) -> Mapping[str, Any] | None:
    """Return the session of the caller, while it has not ended; a query that asks runs again when it ends."""
    identity = ctx.auth.get_user_identity()
    if identity is None or identity.issuer != own_issuer():
        return None
    session = find_session(ctx, str(identity.get("sid")))
    return session if session is not None and session["userId"] == identity.subject else None


class Store:
    """The internal functions, named in the module that makes `Auth`."""

    def __init__(self, users: Users, lifetimes: Lifetimes) -> None:
        self._users = users
        self._lifetimes = lifetimes
        self.caller: QueryFunction[[], Caller | None] = internal_query(name="authCaller")(_caller)
        self.end_session: MutationFunction[[], None] = internal_mutation(name="authEndSession")(_end_session)
        self.begin_code: MutationFunction[..., BegunCode] = internal_mutation(name="authBeginCode")(
            _begin_code
        )
        self.begin_password: MutationFunction[..., PasswordAttempt] = internal_mutation(
            name="authBeginPassword"
        )(_begin_password)
        self.rotate: MutationFunction[..., str | None] = internal_mutation(name="authRotate")(self._rotate)
        self.finish_password: MutationFunction[..., Started | None] = internal_mutation(
            name="authFinishPassword"
        )(self._finish_password)
        self.sign_up: MutationFunction[..., Started | None] = internal_mutation(name="authSignUp")(
            self._sign_up
        )
        self.redeem: MutationFunction[..., Started | None] = internal_mutation(name="authRedeem")(
            self._redeem
        )
        self.redeem_link: MutationFunction[..., Started | None] = internal_mutation(name="authRedeemLink")(
            self._redeem_link
        )
        self.change_password: MutationFunction[..., bool] = internal_mutation(name="authChangePassword")(
            _change_password
        )
        self.change_email: MutationFunction[..., str | None] = internal_mutation(name="authChangeEmail")(
            _change_email
        )

    def start(self, ctx: MutationCtx, user_id: str, session: NewSession) -> Started:
        """Begin a session of a user."""
        return Started(user_id, create_session(ctx, user_id, session, self._lifetimes))

    def start_with(
        self, ctx: MutationCtx, provider: str, profile: Profile, session: NewSession, *, link_to: str | None
    ) -> Started:
        """Begin a session of the user of an account."""
        return self.start(ctx, self._users.signed_in(ctx, provider, profile, link_to=link_to), session)

    def _rotate(
        self, ctx: MutationCtx, session_id: str, family: str, token: str, successor: str
    ) -> str | None:
        session = rotate(ctx, session_id, (family, token), successor, self._lifetimes)
        return None if session is None else str(session["userId"])

    def _finish_password(
        self, ctx: MutationCtx, email: str, secret: str, session: NewSession, better: str | None = None
    ) -> Started | None:
        """Sign in, unless the password was changed since it was compared."""
        account = find_account(ctx, PASSWORD, email)
        if account is None or account.get("secret") != secret:
            return None
        forget_attempts(ctx, _password_key(email))
        if better is not None:
            ctx.db.patch(account["_id"], {"secret": better})
        return self.start(ctx, account["userId"], session)

    def _sign_up(
        self, ctx: MutationCtx, email: str, secret: str, session: NewSession, name: str = ""
    ) -> Started | None:
        if find_account(ctx, PASSWORD, email) is not None:
            return None
        profile = Profile(account_id=email, email=email, name=name)
        return self.start(ctx, self._users.signed_in(ctx, PASSWORD, profile, secret=secret), session)

    def _redeem(
        self,
        ctx: MutationCtx,
        kind: str,
        email: str,
        digest: str,
        session: NewSession,
        secret: str = "",
        attempt: str = "",
    ) -> Started | None:
        """Sign in with a code that was sent; with that of a reset, `secret` is the hash of the new password."""
        if kind == "verify":
            pending = redeem_code(ctx, "verify", email, digest)
            is_own = pending is not None and pending.get("attempt", "") == attempt
            user_id = self._verified(ctx, email, pending) if pending is not None and is_own else None
        elif kind == "reset":
            pending = redeem_code(ctx, "reset", email, digest)
            user_id = None if pending is None else _reset(ctx, email, secret)
        else:
            pending = redeem_code(ctx, "sign-in", email, digest)
            user_id = None if pending is None else self._by_email(ctx, email)
        return None if user_id is None else self.start(ctx, user_id, session)

    def _redeem_link(self, ctx: MutationCtx, digest: str, session: NewSession) -> Started | None:
        email = redeem_link(ctx, digest)
        return None if email is None else self.start(ctx, self._by_email(ctx, email), session)

    def _by_email(self, ctx: MutationCtx, email: str) -> str:
        profile = Profile(account_id=email, email=email, email_verified=True)
        return self._users.signed_in(ctx, EMAIL, profile)

    def _verified(self, ctx: MutationCtx, email: str, pending: Mapping[str, Any]) -> str | None:
        """Return the user of a password whose address was verified; None if somebody else has done that meanwhile."""
        account = find_account(ctx, PASSWORD, email)
        if account is None:
            profile = Profile(
                account_id=email, email=email, email_verified=True, name=pending.get("name", "")
            )
            return self._users.signed_in(ctx, PASSWORD, profile, secret=pending["secret"])
        if account.get("emailVerified") is not None:
            return None
        set_password(ctx, account["userId"], email, pending["secret"])
        return str(account["userId"])


def _begin_code(ctx: MutationCtx, code: BeginCode) -> BegunCode:
    return begin_code(ctx, code)


def _begin_password(ctx: MutationCtx, email: str) -> PasswordAttempt:
    retry_at = take_attempt(ctx, _password_key(email), PASSWORD_DELAYS)
    if retry_at is not None:
        return PasswordAttempt(retry_at=retry_at)
    account = find_account(ctx, PASSWORD, email)
    if account is None:
        return PasswordAttempt()
    return PasswordAttempt(secret=account.get("secret"), is_verified=account.get("emailVerified") is not None)


def _reset(ctx: MutationCtx, email: str, secret: str) -> str | None:
    account = find_account(ctx, PASSWORD, email)
    user_id = user_by_email(ctx, email) or (None if account is None else str(account["userId"]))
    if user_id is not None:
        set_password(ctx, user_id, email, secret)
        end_sessions(ctx, user_id)
        forget_attempts(ctx, _password_key(email))
    return user_id


def _change_password(ctx: MutationCtx, email: str, known: str, secret: str) -> bool:
    """Set a new password, unless it was changed since it was compared, and end all other sessions."""
    session, account = current_session(ctx), find_account(ctx, PASSWORD, email)
    if session is None or account is None or account["userId"] != session["userId"]:
        return False
    if account.get("secret") != known:
        return False
    ctx.db.patch(account["_id"], {"secret": secret})
    end_sessions(ctx, session["userId"], but=session["_id"])
    forget_attempts(ctx, _password_key(email))
    return True


def _change_email(ctx: MutationCtx, email: str, digest: str) -> str | None:
    """Redeem the code that was sent to a new address; return the address from before, an empty one if there was none."""
    session = current_session(ctx)
    pending = None if session is None else redeem_code(ctx, "change-email", email, digest)
    if session is None or pending is None or pending.get("userId") != session["userId"]:
        return None
    if find_account(ctx, PASSWORD, email) is not None or user_by_email(ctx, email) is not None:
        return None  # somebody was quicker
    before = str((ctx.db.get(USERS, session["userId"]) or {}).get("email", ""))
    change_email(ctx, session["userId"], email)
    return before


def _caller(ctx: QueryCtx) -> Caller | None:
    session = current_session(ctx)
    if session is None:
        return None
    accounts = accounts_of(ctx, session["userId"])
    password = next((each for each in accounts if each["provider"] == PASSWORD), None)
    return Caller(
        user_id=session["userId"],
        session_id=session["_id"],
        started_at=session["_creationTime"],
        email=None if password is None else password["providerAccountId"],
    )


def _end_session(ctx: MutationCtx) -> None:
    session = current_session(ctx)
    if session is not None:
        ctx.db.delete(session["_id"])


def _password_key(email: str) -> str:
    return f"password:{email}"


def require_session(ctx: QueryCtx) -> Mapping[str, Any]:
    """Return the session of the caller.

    Raises:
        ConvexError: `NotSignedIn`.
    """
    return current_session(ctx) or refuse("NotSignedIn")
