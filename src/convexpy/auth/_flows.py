"""The way to an OAuth provider and back, as it is stored: each step once, and bound to the browser that began.

1. `auth:signIn` begins a flow; the page keeps its verifier, and goes to the deployment.
2. The deployment gives the browser a cookie, from which state, nonce and PKCE's verifier are derived, and sends it to the
   provider.
3. The provider sends it back; the deployment claims the flow by the cookie, asks the provider who it was, and sends it to
   the page with a code.
4. The page calls `auth:signIn` with code and verifier. Only here accounts are made or linked: who was led into somebody
   else's flow cannot finish it, nor can who began it without the browser that came back.
"""

from __future__ import annotations

import hmac
from datetime import timedelta
from typing import Any

import msgspec

from convexpy.auth._accounts import Profile
from convexpy.auth._sessions import NewSession
from convexpy.auth._store import Started, Store, current_session, require_session
from convexpy.auth._tables import FLOWS
from convexpy.functions import MutationCtx, MutationFunction, internal_mutation
from convexpy.values import UNSET, Document

FLOW_LIFETIME = timedelta(minutes=15)


class ClaimedFlow(msgspec.Struct, frozen=True):
    """A flow whose browser has come back."""

    provider: str
    redirect_to: str


class Flows:
    """The internal functions of flows."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.begin: MutationFunction[..., str] = internal_mutation(name="authBeginFlow")(_begin)
        self.start: MutationFunction[..., str | None] = internal_mutation(name="authStartFlow")(_start)
        self.claim: MutationFunction[..., ClaimedFlow | None] = internal_mutation(name="authClaimFlow")(
            _claim
        )
        self.finish: MutationFunction[..., None] = internal_mutation(name="authFinishFlow")(_finish)
        self.redeem: MutationFunction[..., Started | None] = internal_mutation(name="authRedeemFlow")(
            self._redeem
        )

    def _redeem(self, ctx: MutationCtx, code: str, verifier: str, session: NewSession) -> Started | None:
        """Sign in, or link, with a finished flow; it is gone then. `code` and `verifier` are digests."""
        flow = ctx.db.query(FLOWS).with_index("by_code", codeDigest=code).first()
        if flow is None:
            return None
        ctx.db.delete(flow["_id"])
        if ctx.now() >= flow["expirationTime"] or not hmac.compare_digest(flow["verifierDigest"], verifier):
            return None
        link_to = flow.get("userId")
        current = current_session(ctx)
        if link_to is not None:
            if current is None or current["userId"] != link_to:
                return None
            ctx.db.delete(current["_id"])  # the new one takes its place
        profile = msgspec.convert(flow["profile"], Profile)
        return self._store.start_with(ctx, flow["provider"], profile, session, link_to=link_to)


def _begin(ctx: MutationCtx, provider: str, verifier: str, redirectTo: str, link: bool) -> str:  # noqa: N803
    now = float(ctx.now())
    for old in ctx.db.query(FLOWS).with_index("by_expiration", lambda q: q.lt("expirationTime", now)).take(2):
        ctx.db.delete(old["_id"])
    flow = {
        "provider": provider,
        "verifierDigest": verifier,
        "redirectTo": redirectTo,
        "expirationTime": now + FLOW_LIFETIME.total_seconds() * 1000,
    }
    if link:
        flow["userId"] = require_session(ctx)["userId"]
    return ctx.db.insert(FLOWS, flow)


def _start(ctx: MutationCtx, flow: str, browser: str) -> str | None:
    """Bind a flow to a browser, once; return its provider."""
    found = _find(ctx, flow)
    if found is None or found.get("browserDigest") is not None or found.get("profile") is not None:
        return None
    ctx.db.patch(found["_id"], {"browserDigest": browser})
    return str(found["provider"])


def _claim(ctx: MutationCtx, flow: str, browser: str) -> ClaimedFlow | None:
    """Take up a flow in the browser that it was bound to, once."""
    found = _find(ctx, flow)
    if found is None or not hmac.compare_digest(found.get("browserDigest", ""), browser):
        return None
    ctx.db.patch(found["_id"], {"browserDigest": UNSET, "profile": {}})
    return ClaimedFlow(found["provider"], found["redirectTo"])


def _finish(ctx: MutationCtx, flow: str, code: str, profile: dict[str, Any]) -> None:
    found = _find(ctx, flow)
    if found is not None:
        ctx.db.patch(found["_id"], {"codeDigest": code, "profile": profile})


def _find(ctx: MutationCtx, flow: str) -> Document | None:
    id = ctx.db.normalize_id(FLOWS, flow)
    found = None if id is None else ctx.db.get(id)
    return None if found is None or ctx.now() >= found["expirationTime"] else found
