"""What an app mounts: `auth = Auth(providers=[…])` in `convex/auth.py`."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Sequence
from datetime import timedelta
from typing import Any, overload

from convexpy.auth._accounts import OnSignUp, Users
from convexpy.auth._core import Core, Provider, SignInResult
from convexpy.auth._flows import Flows
from convexpy.auth._mail import SendMail, log_mail
from convexpy.auth._management import Management, OnDelete
from convexpy.auth._oauth import OAuthProvider
from convexpy.auth._routes import add_key_routes, add_oauth_routes
from convexpy.auth._sessions import Lifetimes
from convexpy.auth._store import Caller, Store, current_session, require_session
from convexpy.auth._tables import USERS
from convexpy.auth._texts import digest, read_text, refuse
from convexpy.functions import ActionCtx, ActionFunction, HttpRouter, QueryCtx, SyncActionCtx, action
from convexpy.limits import ISSUED_TOKEN_S_MAX
from convexpy.values import Document

DEVELOPMENT_SITE_URL = "http://localhost:5173"


def _check_lifetimes(token: timedelta, *others: timedelta) -> None:
    if token.total_seconds() > ISSUED_TOKEN_S_MAX:
        raise ValueError(f"token_lifetime is at most {timedelta(seconds=ISSUED_TOKEN_S_MAX)}, not {token}")
    if min(token, *others) <= timedelta(0):
        raise ValueError("lifetimes must be longer than zero")


class Auth:
    """Sign-in of an app: registers `signIn`, `signOut` and the functions of the account page in the module that makes it."""

    def __init__(
        self,
        *,
        providers: Sequence[Provider],
        send_mail: SendMail | None = None,
        app_name: str = "the app",
        site_url: str | None = None,
        redirects: Sequence[str] = (),
        on_sign_up: OnSignUp | None = None,
        on_delete: OnDelete | None = None,
        token_lifetime: timedelta = timedelta(hours=1),
        idle_lifetime: timedelta = timedelta(days=30),
        session_lifetime: timedelta = timedelta(days=180),
        code_lifetime: timedelta = timedelta(minutes=15),
        reuse_grace: timedelta = timedelta(seconds=10),
    ) -> None:
        """Say how people sign in.

        Args:
            providers: The ways to sign in: `Password()`, `MagicLink()`, `EmailCode()`, `GitHub()`, `Google()`, `OIDC(…)`.
            send_mail: Sends mail: `smtp(…)`, or an `async def` of the app. Without, `convexpy dev` writes mail to the log,
                and a deployment refuses what needs it.
            app_name: What mail calls the app.
            site_url: Where the app's pages are; by default the variable `SITE_URL`, under `convexpy dev` also
                `http://localhost:5173`. Links in mail lead there, and OAuth back to it.
            redirects: Further origins that OAuth may lead back to.
            on_sign_up: Is called with ctx and the fields of each new user, in the transaction that makes it; returns fields
                to add, or raises `ConvexError` to refuse.
            on_delete: Is called with ctx and the id of a user who is being deleted, in that transaction.
            token_lifetime: How long an access token is valid, at most a day.
            idle_lifetime: How long a session lasts without use.
            session_lifetime: How long a session lasts at most.
            code_lifetime: How long codes and links are valid.
            reuse_grace: How long a refresh token that was used may be used again, by another tab or a repeated request.

        Raises:
            ValueError: two providers have one id, or a lifetime makes no sense.
        """
        _check_lifetimes(token_lifetime, idle_lifetime, session_lifetime, code_lifetime)
        self._providers = {provider.id: provider for provider in providers}
        if len(self._providers) != len(providers):
            raise ValueError(f"two providers have one id: {', '.join(each.id for each in providers)}")
        lifetimes = Lifetimes(
            token=token_lifetime, idle=idle_lifetime, session=session_lifetime, reuse=reuse_grace
        )
        development = DEVELOPMENT_SITE_URL if os.environ.get("CONVEXPY_DEVELOPMENT") else ""
        pages = site_url or os.environ.get("SITE_URL") or development
        store = Store(Users(on_sign_up), lifetimes)
        self._core = Core(
            store=store,
            flows=Flows(store),
            lifetimes=lifetimes,
            send_mail=send_mail or log_mail,
            app_name=app_name,
            site_url=pages.rstrip("/"),
            redirects=tuple(origin.rstrip("/") for origin in redirects),
            code_lifetime=code_lifetime,
        )
        self.sign_in: ActionFunction[..., SignInResult] = action(name="signIn")(self._sign_in)
        """`auth:signIn`."""
        self.sign_out: ActionFunction[[], None] = action(name="signOut")(self._sign_out)
        """`auth:signOut`."""
        self._management = Management(self._core, self._providers.values(), on_delete)

    async def _sign_in(
        self,
        ctx: ActionCtx,
        provider: str | None = None,
        params: dict[str, Any] | None = None,
        verifier: str | None = None,
        refreshToken: str | None = None,  # noqa: N803 - as official clients write it
        calledBy: str | None = None,  # noqa: N803
    ) -> SignInResult:
        """Sign in by a provider, with a code from an address, or with a refresh token."""
        given = params or {}
        if refreshToken is not None:
            return await self._core.refreshed(ctx, refreshToken)
        if provider is None:
            return await self._with_code(ctx, read_text(given, "code"), verifier)
        chosen = self._providers.get(provider) or refuse("UnknownProvider")
        return await chosen.sign_in(self._core, ctx, given)

    async def _with_code(self, ctx: ActionCtx, code: str, verifier: str | None) -> SignInResult:
        """Sign in with the code of a link, or with that of an OAuth provider and the verifier that it was begun with."""
        refresh, session = self._core.new_session(ctx)
        keyed = await self._core.code_digest(ctx, "link", "", code)
        started = await ctx.run_mutation(self._core.store.redeem_link, digest=keyed, session=session)
        if started is None and verifier is not None:
            started = await ctx.run_mutation(
                self._core.flows.redeem, code=digest(code), verifier=digest(verifier), session=session
            )
        return await self._core.tokens(ctx, started or refuse("InvalidCode"), refresh)

    async def _sign_out(self, ctx: ActionCtx) -> None:
        """End the session of the caller."""
        await ctx.run_mutation(self._core.store.end_session)

    def add_routes(self, http: HttpRouter, /) -> None:
        """Add the HTTP actions of sign-in to the app's: the issuer's public keys, and what OAuth providers call."""
        add_key_routes(http)
        found = {each.id: each for each in self._providers.values() if isinstance(each, OAuthProvider)}
        add_oauth_routes(http, self._core, found)

    # For the functions of the app

    @overload
    def user_id(self, ctx: QueryCtx | SyncActionCtx, /) -> str | None: ...
    @overload
    def user_id(self, ctx: ActionCtx, /) -> Awaitable[str | None]: ...
    def user_id(self, ctx: QueryCtx | SyncActionCtx | ActionCtx, /) -> str | Awaitable[str | None] | None:
        """Return the id of the signed-in user, None if nobody is; in an `async def` action, to be awaited.

        A query that asks runs again when the session ends.
        """
        if isinstance(ctx, ActionCtx):
            return self._user_id_in_action(ctx)
        if isinstance(ctx, SyncActionCtx):
            caller = ctx.run_query(self._core.store.caller)
            return None if caller is None else caller.user_id
        session = current_session(ctx)
        return None if session is None else str(session["userId"])

    async def _user_id_in_action(self, ctx: ActionCtx) -> str | None:
        caller: Caller | None = await ctx.run_query(self._core.store.caller)
        return None if caller is None else caller.user_id

    def require_user_id(self, ctx: QueryCtx, /) -> str:
        """Return the id of the signed-in user.

        Raises:
            ConvexError: with the code `NotSignedIn`.
        """
        return str(require_session(ctx)["userId"])

    def user(self, ctx: QueryCtx, /) -> Document | None:
        """Return the document of the signed-in user, None if nobody is."""
        user_id = self.user_id(ctx)
        return None if user_id is None else ctx.db.get(USERS, user_id)

    def require_user(self, ctx: QueryCtx, /) -> Document:
        """Return the document of the signed-in user.

        Raises:
            ConvexError: with the code `NotSignedIn`.
        """
        return self.user(ctx) or refuse("NotSignedIn")

    def session_id(self, ctx: QueryCtx, /) -> str | None:
        """Return the id of the caller's session, None if nobody is signed in."""
        session = current_session(ctx)
        return None if session is None else str(session["_id"])
