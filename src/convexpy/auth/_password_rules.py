"""Which passwords are accepted: long enough, not common, and not known from a breach."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import unicodedata
from collections.abc import Sequence
from typing import Any

import msgspec

from convexpy.auth._texts import refuse

logger: logging.Logger = logging.getLogger("convexpy.auth")
LENGTH_MIN, LENGTH_MAX = 8, 256
GUESSED_LENGTH_MAX = 72
SCORE_MIN = 2
RANGE_PREFIX_LENGTH = 5
BREACHED_S_MAX = 2.0


def normalized(password: str) -> str:
    """Return a password in one spelling, whatever the keyboard (NFKC)."""
    return unicodedata.normalize("NFKC", password)


class PasswordRules(msgspec.Struct, frozen=True):
    """`breached` is the address of a service with the range API of Have I Been Pwned, or None to ask nobody."""

    length_min: int
    breached: str | None

    async def check(self, password: str, known: Sequence[str] = ()) -> None:
        """Refuse a weak password. `known` are texts that others know of the person: name, address.

        Raises:
            ConvexError: `WeakPassword`, with the rule as `reason`: `short`, `long`, `common` or `breached`.
        """
        if len(password) < self.length_min:
            refuse("WeakPassword", f"Use at least {self.length_min} characters.", reason="short")
        if len(password) > LENGTH_MAX:
            refuse("WeakPassword", f"Use at most {LENGTH_MAX} characters.", reason="long")
        if await asyncio.to_thread(_is_common, password, list(known)):
            refuse("WeakPassword", "This password is easy to guess: use a longer one.", reason="common")
        if self.breached and await _is_breached(self.breached, password):
            refuse(
                "WeakPassword",
                "This password is known from a data breach: use another one.",
                reason="breached",
            )


def _is_common(password: str, known: list[str]) -> bool:
    from zxcvbn import zxcvbn  # type: ignore[import-untyped]

    # Its work grows steeply with the length; what is longer is not easy to guess unless its beginning is.
    found: Any = zxcvbn(password[:GUESSED_LENGTH_MAX], user_inputs=[text for text in known if text])
    return int(found["score"]) < SCORE_MIN


async def _is_breached(address: str, password: str) -> bool:
    """Ask by the beginning of the SHA-1; if there is no answer, the password counts as not breached."""
    import httpx

    sha1 = hashlib.sha1(password.encode(), usedforsecurity=False).hexdigest().upper()
    prefix, rest = sha1[:RANGE_PREFIX_LENGTH], sha1[RANGE_PREFIX_LENGTH:]
    try:
        async with httpx.AsyncClient(timeout=BREACHED_S_MAX) as client:
            response = await client.get(
                f"{address.rstrip('/')}/range/{prefix}", headers={"Add-Padding": "true"}
            )
            response.raise_for_status()
    except httpx.HTTPError as error:
        logger.warning("%s did not say whether a password is breached: %r", address, error)
        return False
    lines = (line.partition(":") for line in response.text.splitlines())
    return any(suffix == rest and count.strip() not in ("", "0") for suffix, _, count in lines)
