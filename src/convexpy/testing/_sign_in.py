"""Signed-in users in tests of apps with `convexpy.auth`."""

from __future__ import annotations

from typing import Any

from convexpy.testing._local import SITE_URL
from convexpy.testing._surface import ConvexTest

YEAR_MS = 365 * 86_400_000.0


def begin_session(convex: ConvexTest, user: dict[str, Any]) -> ConvexTest:
    """Store a user with a session; return the deployment as that user sees it."""

    def begin(ctx: Any) -> tuple[str, str]:
        user_id = ctx.db.insert("users", user)
        now = float(ctx.now())
        session = {
            "userId": user_id,
            "familyDigest": "",
            "current": [],
            "previous": [],
            "rotatedTime": now,
            "idleExpirationTime": now + YEAR_MS,
            "expirationTime": now + YEAR_MS,
        }
        return user_id, ctx.db.insert("authSessions", session)

    user_id, session_id = convex.run(begin)
    return convex.with_identity(subject=user_id, issuer=SITE_URL, sid=session_id)
