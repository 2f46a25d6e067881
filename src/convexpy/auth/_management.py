"""The functions of an account page: sessions, accounts, changing password and address, deleting."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from convexpy.auth._accounts import accounts_of
from convexpy.auth._core import Core, Provider, SignInResult
from convexpy.auth._oauth import OAuthProvider
from convexpy.auth._password import Password
from convexpy.auth._sessions import end_sessions, find_session, sessions_of
from convexpy.auth._store import Caller, current_session, require_session
from convexpy.auth._tables import ACCOUNTS
from convexpy.auth._texts import read_email, refuse
from convexpy.functions import (
    ActionCtx,
    MutationCtx,
    MutationFunction,
    QueryCtx,
    action,
    internal_mutation,
    mutation,
    query,
)

OnDelete = Callable[[Any, str], Any]
"""Gets the ctx of a mutation, of convexpy or generated, and the id of a user."""
FRESH_MS = 10 * 60 * 1000
"""What has no password asks for a sign-in that is not older before it deletes an account."""


class ProviderInfo(msgspec.Struct, frozen=True):
    """A way to sign in: `kind` is `password`, `code`, `link` or `oauth`."""

    id: str
    kind: str
    name: str


class SessionInfo(msgspec.Struct, frozen=True, rename="camel"):
    """A session of the caller. Times are milliseconds since the epoch; `userAgent` is empty where none was sent."""

    id: str
    is_current: bool
    started_time: float
    used_time: float
    user_agent: str


class AccountInfo(msgspec.Struct, frozen=True, rename="camel"):
    """An account of the caller, by which they sign in."""

    provider: str
    name: str
    is_verified: bool


class Management:
    """Registers the functions of the account page."""

    def __init__(self, core: Core, providers: Iterable[Provider], on_delete: OnDelete | None) -> None:
        self._core = core
        self._on_delete = on_delete
        self._listed = [
            ProviderInfo(each.id, each.kind, getattr(each, "name", each.id))
            for each in providers
            if not isinstance(each, OAuthProvider) or each.is_configured
        ]
        self._password = next((each for each in providers if isinstance(each, Password)), None)
        query(name="providers")(self._providers)
        query(name="sessions")(_sessions)
        query(name="accounts")(_accounts)
        mutation(name="endSession")(_end_session)
        mutation(name="signOutEverywhere")(_sign_out_everywhere)
        mutation(name="unlinkAccount")(_unlink)
        action(name="changePassword")(self._change_password)
        action(name="changeEmail")(self._change_email)
        action(name="deleteAccount")(self._delete_account)
        self._delete: MutationFunction[[], None] = internal_mutation(name="authDeleteUser")(self._delete_user)

    def _providers(self, ctx: QueryCtx) -> list[ProviderInfo]:
        """List the ways to sign in."""
        return self._listed

    async def _change_password(
        self,
        ctx: ActionCtx,
        currentPassword: str,  # noqa: N803 - as clients write it
        newPassword: str,  # noqa: N803
    ) -> None:
        """Change the caller's password; their other sessions end."""
        caller = await self._core.caller(ctx)
        if self._password is None or caller.email is None:
            refuse("InvalidCredentials")
        known = await self._password.confirm(self._core, ctx, caller.email, currentPassword)
        await self._password.change(self._core, ctx, caller.email, known, newPassword)

    async def _change_email(
        self,
        ctx: ActionCtx,
        email: str,
        currentPassword: str | None = None,  # noqa: N803
        code: str | None = None,
    ) -> SignInResult:
        """Send a code to a new address; with the code, make it the caller's."""
        caller = await self._core.caller(ctx)
        email = read_email({"email": email})
        if code is None:
            await self._confirm(ctx, caller, currentPassword)
            await self._core.send_code(ctx, "change-email", email, {"userId": caller.user_id})
            return {"started": True}
        digest = await self._core.code_digest(ctx, "change-email", email, code.strip())
        before = await ctx.run_mutation(self._core.store.change_email, email=email, digest=digest)
        if before is None:
            refuse("InvalidCode")
        if before and before != email:
            await self._core.send(ctx, "email-changed", before)
        return {"started": False}

    async def _delete_account(
        self,
        ctx: ActionCtx,
        currentPassword: str | None = None,  # noqa: N803
    ) -> None:
        """Delete the caller, with sessions and accounts, and whatever else `on_delete` deletes."""
        await self._confirm(ctx, await self._core.caller(ctx), currentPassword)
        await ctx.run_mutation(self._delete)

    async def _confirm(self, ctx: ActionCtx, caller: Caller, password: str | None) -> None:
        """Have the caller prove again who they are: by their password, or by a sign-in that is not long ago."""
        if self._password is not None and caller.email is not None:
            await self._password.confirm(self._core, ctx, caller.email, password or "")
        elif ctx.now() - caller.started_at > FRESH_MS:
            refuse("SignInAgain")

    def _delete_user(self, ctx: MutationCtx) -> None:
        user_id = require_session(ctx)["userId"]
        if self._on_delete is not None:
            self._on_delete(ctx, user_id)
        end_sessions(ctx, user_id)
        for account in accounts_of(ctx, user_id):
            ctx.db.delete(account["_id"])
        ctx.db.delete(user_id)


def _sessions(ctx: QueryCtx) -> list[SessionInfo]:
    """List the caller's sessions, the newest first; none if nobody is signed in."""
    current = current_session(ctx)
    if current is None:
        return []
    return [
        SessionInfo(
            session["_id"],
            session["_id"] == current["_id"],
            session["_creationTime"],
            session["rotatedTime"],
            session.get("userAgent", ""),
        )
        for session in reversed(sessions_of(ctx, current["userId"]))
    ]


def _accounts(ctx: QueryCtx) -> list[AccountInfo]:
    """List the accounts by which the caller signs in; none if nobody is signed in."""
    current = current_session(ctx)
    if current is None:
        return []
    return [
        AccountInfo(
            account["provider"],
            account.get("emailVerified") or account["providerAccountId"],
            account.get("emailVerified") is not None,
        )
        for account in accounts_of(ctx, current["userId"])
    ]


def _end_session(ctx: MutationCtx, sessionId: str) -> None:  # noqa: N803
    """End one session of the caller."""
    current, ended = require_session(ctx), find_session(ctx, sessionId)
    if ended is not None and ended["userId"] == current["userId"]:
        ctx.db.delete(ended["_id"])


def _sign_out_everywhere(ctx: MutationCtx, keepCurrent: bool = False) -> None:  # noqa: N803
    """End all sessions of the caller, or all others."""
    current = require_session(ctx)
    end_sessions(ctx, current["userId"], but=current["_id"] if keepCurrent else None)


def _unlink(ctx: MutationCtx, provider: str) -> None:
    """Remove the caller's accounts of a provider, unless nothing would be left to sign in with."""
    accounts = accounts_of(ctx, require_session(ctx)["userId"])
    removed = [account for account in accounts if account["provider"] == provider]
    if len(removed) == len(accounts):
        refuse("LastAccount")
    for account in removed:
        ctx.db.delete(ACCOUNTS, account["_id"])
