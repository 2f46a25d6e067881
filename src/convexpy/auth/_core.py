"""What all ways to sign in share: sessions become tokens, mail is sent, answers have one form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol, TypeAlias

from convexpy.auth._codes import BeginCode, CodeKind
from convexpy.auth._flows import Flows
from convexpy.auth._mail import MailKind, SendMail, written
from convexpy.auth._redirects import with_parameters
from convexpy.auth._sessions import Lifetimes, NewSession, RefreshToken, read_refresh_token
from convexpy.auth._store import Caller, Started, Store
from convexpy.auth._texts import digest, new_code, new_secret, refuse
from convexpy.functions import ActionCtx, issue_token, keyed_digest

SignInResult: TypeAlias = dict[str, Any]
"""`{"tokens": …}`, `{"redirect": …, "verifier": …}` or `{"started": true}`, as Convex Auth answers."""


class Provider(Protocol):
    """A way to sign in. `kind` is `password`, `code`, `link` or `oauth`; `id` names it in calls."""

    id: str
    kind: str

    async def sign_in(self, core: Core, ctx: ActionCtx, params: Mapping[str, Any]) -> SignInResult:
        """Answer a call of `auth:signIn` for this provider."""
        ...


@dataclass(frozen=True, kw_only=True)
class Core:
    """The parts that providers use. `site_url` is where the app's pages are; `app_name` is what mail calls it."""

    store: Store
    flows: Flows
    lifetimes: Lifetimes
    send_mail: SendMail
    app_name: str
    site_url: str
    redirects: tuple[str, ...]
    code_lifetime: timedelta

    def new_session(self, ctx: ActionCtx) -> tuple[RefreshToken, NewSession]:
        """Return the refresh token of a new session, and what is stored of it."""
        token = RefreshToken.create()
        family, secret = token.digests
        new = NewSession(family_digest=family, token_digest=secret, user_agent=ctx.meta.user_agent or "")
        return token, new

    async def tokens(self, ctx: ActionCtx, started: Started, refresh: RefreshToken) -> SignInResult:
        """Return the answer that signs somebody in."""
        issued = await issue_token(
            ctx,
            subject=started.user_id,
            session_id=started.session_id,
            lifetime_ms=self.lifetimes.token.total_seconds() * 1000,
        )
        return {"tokens": {"token": issued.token, "refreshToken": refresh.text(started.session_id)}}

    async def refreshed(self, ctx: ActionCtx, text: str) -> SignInResult:
        """Return new tokens for a refresh token, or null for one that is not good any more."""
        read = read_refresh_token(text)
        if read is None:
            return {"tokens": None}
        session_id, used = read
        successor = RefreshToken.create(used.family)
        family, token = used.digests
        user_id = await ctx.run_mutation(
            self.store.rotate,
            session_id=session_id,
            family=family,
            token=token,
            successor=digest(successor.secret),
        )
        if user_id is None:
            return {"tokens": None}
        return await self.tokens(ctx, Started(user_id, session_id), successor)

    async def caller(self, ctx: ActionCtx) -> Caller:
        """Return who calls an action.

        Raises:
            ConvexError: `NotSignedIn`.
        """
        return await ctx.run_query(self.store.caller) or refuse("NotSignedIn")

    async def send_code(
        self,
        ctx: ActionCtx,
        kind: CodeKind,
        email: str,
        pending: Mapping[str, Any] | None = None,
        page: str = "",
    ) -> None:
        """Send a code, or say by mail why there is none: to whoever calls it looks the same, and takes the same.

        A link leads to `page`.

        Raises:
            ConvexError: `TooManyAttempts`.
        """
        code = new_secret() if kind == "link" else new_code()
        begun = await ctx.run_mutation(
            self.store.begin_code,
            code=BeginCode(
                kind=kind,
                email=email,
                digest=await self.code_digest(ctx, kind, email, code),
                lifetime_ms=self.code_lifetime.total_seconds() * 1000,
                pending=dict(pending or {}),
            ),
        )
        if begun.retry_at is not None:
            refuse("TooManyAttempts", retryAt=begun.retry_at)
        if begun.stored:
            url = with_parameters(page, {"code": code}) if kind == "link" else ""
            shown = "" if kind == "link" else code
            sent: MailKind = "sign-in" if kind == "link" else kind
            await self.send(ctx, sent, email, code=shown, url=url)
        else:
            await self.send(ctx, "no-account" if kind == "reset" else "account-exists", email)

    async def send(self, ctx: ActionCtx, kind: MailKind, to: str, *, code: str = "", url: str = "") -> None:
        """Send a mail."""
        minutes = round(self.code_lifetime.total_seconds() / 60) if code or url else 0
        mail = written(kind, to, app=self.app_name, code=code, url=url, minutes=minutes)
        await self.send_mail(ctx, mail)

    async def code_digest(self, ctx: ActionCtx, kind: CodeKind, email: str, code: str) -> str:
        """Return what is stored of a code; links are found by it, so the address is not in it."""
        return await keyed_digest(ctx, f"link {code}" if kind == "link" else f"{kind} {email} {code}")

    async def redeem(
        self, ctx: ActionCtx, kind: CodeKind, email: str, code: str, secret: str = "", attempt: str = ""
    ) -> SignInResult:
        """Sign in with a code that was sent; if `attempt` is given, only one that was sent for this sign-up.

        Raises:
            ConvexError: `InvalidCode`.
        """
        refresh, session = self.new_session(ctx)
        started = await ctx.run_mutation(
            self.store.redeem,
            kind=kind,
            email=email,
            digest=await self.code_digest(ctx, kind, email, code.strip()),
            session=session,
            secret=secret,
            attempt=attempt,
        )
        return await self.tokens(ctx, started or refuse("InvalidCode"), refresh)
