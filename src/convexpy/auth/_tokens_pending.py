"""Stand-in until the verification of tokens is there: every token is refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from convexpy.errors import AuthError


class Verified(msgspec.Struct, frozen=True):
    """What a valid token says."""

    claims: dict[str, Any]
    expires_at_s: float


class TokenRefused(AuthError):
    """The token is not valid."""

    reason = ""


class TokenVerifier:
    """Refuses every token."""

    def __init__(self, *, development: bool) -> None:
        """Know no providers."""

    def configure(self, providers: Sequence[Mapping[str, Any]]) -> None:
        """Take no providers."""

    def verify_cached(self, token: str) -> Verified | None:
        """Refuse."""
        raise TokenRefused("No auth provider found matching the given token", code="NoAuthProvider")

    async def verify(self, token: str) -> Verified:
        """Refuse."""
        raise TokenRefused("No auth provider found matching the given token", code="NoAuthProvider")

    async def close(self) -> None:
        """Nothing is open."""
