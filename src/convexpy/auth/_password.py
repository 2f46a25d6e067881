"""Sign-in by address and password. What is slow or secret happens in actions; mutations compare and store hashes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from convexpy.auth._core import Core, SignInResult
from convexpy.auth._hashing import Cost, Hashing
from convexpy.auth._password_rules import LENGTH_MAX, LENGTH_MIN, PasswordRules, normalized
from convexpy.auth._texts import digest, read_email, read_text, refuse
from convexpy.functions import ActionCtx

HAVE_I_BEEN_PWNED = "https://api.pwnedpasswords.com"
NAME_LENGTH_MAX = 200


class Password:
    """Sign-in by address and password."""

    kind: str = "password"

    def __init__(
        self,
        *,
        id: str = "password",
        verify: bool = True,
        length_min: int = LENGTH_MIN,
        breached: str | None = HAVE_I_BEEN_PWNED,
        cost: Cost | None = None,
    ) -> None:
        """Let people sign in with a password.

        Args:
            id: The name in calls.
            verify: Whether an address must be verified by mail before its first sign-in. Without, everybody can find out
                who has an account, by signing up.
            length_min: The shortest password, in characters.
            breached: The address of a service with the range API of Have I Been Pwned; it gets five hex digits of a hash.
                None asks nobody. Under `convexpy dev` nobody is asked by default.
            cost: The cost of hashes.
        """
        if not LENGTH_MIN <= length_min <= LENGTH_MAX:
            raise ValueError(f"length_min is {LENGTH_MIN} to {LENGTH_MAX}, not {length_min}")
        if breached == HAVE_I_BEEN_PWNED and os.environ.get("CONVEXPY_DEVELOPMENT"):
            breached = None
        self.id = id
        self.verify = verify
        self._rules = PasswordRules(length_min, breached)
        self._hashing = Hashing(cost or Cost())

    async def sign_in(self, core: Core, ctx: ActionCtx, params: Mapping[str, Any]) -> SignInResult:
        """Answer `signUp`, `signIn`, `email-verification`, `reset` and `reset-verification`, by `params["flow"]`."""
        email = read_email(params)
        flow = read_text(params, "flow")
        if flow == "signIn":
            return await self._sign_in(core, ctx, email, params)
        if flow == "signUp":
            return await self._sign_up(core, ctx, email, params)
        if flow == "email-verification":
            code = read_text(params, "code")
            return await core.redeem(ctx, "verify", email, code, attempt=_attempt(params))
        if flow == "reset":
            await core.send_code(ctx, "reset", email)
            return {"started": True}
        if flow == "reset-verification":
            password = _password(params, "newPassword")
            await self._rules.check(password, [email])
            secret = await self._hashing.hash(password)
            return await core.redeem(ctx, "reset", email, read_text(params, "code"), secret)
        return refuse("InvalidParameter", f"{flow!r} is not a flow of {self.id}", parameter="flow")

    async def _sign_in(
        self, core: Core, ctx: ActionCtx, email: str, params: Mapping[str, Any]
    ) -> SignInResult:
        password = _password(params, "password")
        secret, better, is_verified = await self._compared(core, ctx, email, password)
        if self.verify and not is_verified:
            pending = {"secret": better or secret, "attempt": _attempt(params)}
            await core.send_code(ctx, "verify", email, pending)
            return {"started": True}
        refresh, session = core.new_session(ctx)
        started = await ctx.run_mutation(
            core.store.finish_password, email=email, secret=secret, better=better, session=session
        )
        return await core.tokens(ctx, started or refuse("InvalidCredentials"), refresh)

    async def _sign_up(
        self, core: Core, ctx: ActionCtx, email: str, params: Mapping[str, Any]
    ) -> SignInResult:
        password = _password(params, "password")
        name = str(params.get("name") or "")[:NAME_LENGTH_MAX]
        await self._rules.check(password, [email, email.partition("@")[0], name])
        secret = await self._hashing.hash(password)
        if self.verify:
            pending = {"secret": secret, "name": name, "attempt": _attempt(params)}
            await core.send_code(ctx, "verify", email, pending)
            return {"started": True}
        refresh, session = core.new_session(ctx)
        started = await ctx.run_mutation(
            core.store.sign_up, email=email, secret=secret, session=session, name=name
        )
        return await core.tokens(ctx, started or refuse("AccountExists"), refresh)

    async def confirm(self, core: Core, ctx: ActionCtx, email: str, password: str) -> str:
        """Return the hash of a password that is right; for what asks for it again.

        Raises:
            ConvexError: `InvalidCredentials`, or `TooManyAttempts`.
        """
        return (await self._compared(core, ctx, email, normalized(password)))[0]

    async def change(self, core: Core, ctx: ActionCtx, email: str, known: str, password: str) -> None:
        """Change a password from one that was confirmed; other sessions end.

        Raises:
            ConvexError: `WeakPassword`, or `InvalidCredentials`.
        """
        password = normalized(password)
        await self._rules.check(password, [email])
        secret = await self._hashing.hash(password)
        if not await ctx.run_mutation(core.store.change_password, email=email, known=known, secret=secret):
            refuse("InvalidCredentials")

    async def _compared(
        self, core: Core, ctx: ActionCtx, email: str, password: str
    ) -> tuple[str, str | None, bool]:
        """Return the stored hash, a better one, and whether the address is verified; one hash is compared in any case."""
        attempt = await ctx.run_mutation(core.store.begin_password, email=email)
        if attempt.retry_at is not None:
            refuse("TooManyAttempts", retryAt=attempt.retry_at)
        checked = await self._hashing.check(attempt.secret, password)
        if attempt.secret is None or not checked.is_right:
            refuse("InvalidCredentials")
        return attempt.secret, checked.better, attempt.is_verified


def _attempt(params: Mapping[str, Any]) -> str:
    """Return the digest of the secret with which a client marks its sign-up, empty without one.

    The code from the mail confirms the newest sign-up with the address, which may be somebody else's: a client that says
    which one is its own cannot be made to confirm another's password.
    """
    return digest(read_text(params, "attempt")) if "attempt" in params else ""


def _password(params: Mapping[str, Any], name: str) -> str:
    return normalized(read_text(params, name))
