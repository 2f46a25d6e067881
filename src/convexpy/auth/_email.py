"""Sign-in by an address alone: a link or a code is sent, and whoever has it has the address."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from convexpy.auth._core import Core, SignInResult
from convexpy.auth._redirects import allowed_redirect
from convexpy.auth._texts import read_email, read_text
from convexpy.functions import ActionCtx


class EmailCode:
    """Sign-in by a code of eight digits that is sent by mail and typed where it was asked for."""

    kind: str = "code"

    def __init__(self, *, id: str = "email-code") -> None:
        """Let people sign in with a code; `id` is the name in calls."""
        self.id = id

    async def sign_in(self, core: Core, ctx: ActionCtx, params: Mapping[str, Any]) -> SignInResult:
        """Send a code to `email`, or sign in with the `code` that was sent."""
        email = read_email(params)
        if "code" in params:
            return await core.redeem(ctx, "sign-in", email, read_text(params, "code"))
        await core.send_code(ctx, "sign-in", email)
        return {"started": True}


class MagicLink:
    """Sign-in by a link that is sent by mail. It opens a page of the app, which calls `auth:signIn` with its `code`.

    Programs that look into mail open links, too: opening the page alone uses up nothing.
    """

    kind: str = "link"

    def __init__(self, *, id: str = "magic-link") -> None:
        """Let people sign in with a link; `id` is the name in calls."""
        self.id = id

    async def sign_in(self, core: Core, ctx: ActionCtx, params: Mapping[str, Any]) -> SignInResult:
        """Send a link to `email`; it leads to the page `redirectTo`, a path or an address that is allowed."""
        page = allowed_redirect(params, core.site_url, core.redirects)
        await core.send_code(ctx, "link", read_email(params), page=page)
        return {"started": True}
