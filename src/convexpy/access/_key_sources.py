"""The keys of one issuer as the server knows them: how long they are trusted, and when they are asked for again.

One fetch at a time, shared by all who wait for it. The answer holds for ten minutes, a failure for thirty seconds; while
the issuer fails, keys that are already known stay trusted for an hour. A key id that is not in the set leads to another
fetch at most once in thirty seconds, so forged tokens cannot make the server flood an issuer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from convexpy.access._jwks import KeySet, KeySetError, SigningKey
from convexpy.access._refusals import DISCOVERY_FAILED, NOT_VERIFIED, TokenRefused, shown
from convexpy.limits import ISSUER_KEYS_FRESH_S, ISSUER_KEYS_STALE_S, ISSUER_RETRY_S


class KeySource:
    """The keys of one issuer."""

    def __init__(
        self, name: str, load: Callable[[], Awaitable[KeySet]], monotonic: Callable[[], float]
    ) -> None:
        """Make a source that has no keys yet.

        Args:
            name: The issuer, for reasons.
            load: Returns the issuer's present keys; raises KeySetError.
            monotonic: A clock that never goes back, in seconds.
        """
        self.name = name
        self._load = load
        self._monotonic = monotonic
        self._keys: KeySet | None = None
        self._loaded_at = 0.0
        self._failure: str | None = None
        self._failed_at = 0.0
        self._searched_at: float | None = None
        self._flight: asyncio.Task[None] | None = None

    def key_for(self, algorithm: str, key_id: str | None) -> SigningKey | None:
        """Return the key, without any I/O; None when the keys must be fetched first.

        Raises:
            TokenRefused: the issuer has no such key, or the keys cannot be had at the moment.
        """
        now = self._monotonic()
        failure = self._failure if now - self._failed_at < ISSUER_RETRY_S else None
        age = now - self._loaded_at
        if self._keys is not None and (age < ISSUER_KEYS_FRESH_S or (failure and age < ISSUER_KEYS_STALE_S)):
            key = self._keys.find(algorithm, key_id)
            if key is not None:
                return key
            if failure is None and self.may_search():
                return None
            if failure is None:
                known = f"{len(self._keys)} others" if len(self._keys) != 1 else "another"
                raise TokenRefused(
                    NOT_VERIFIED,
                    f"the JWT's 'kid' (key ID) header is {shown(key_id)}; {self.name} has no such key, only {known}",
                )
        if failure is None:
            return None
        raise TokenRefused(DISCOVERY_FAILED, f"the keys of {self.name} could not be fetched: {failure}")

    def may_search(self) -> bool:
        """Return whether the keys may be fetched again because a token needs one that is not among them."""
        now = self._monotonic()
        if self._failure is not None and now - self._failed_at < ISSUER_RETRY_S:
            return False
        return self._searched_at is None or now - self._searched_at >= ISSUER_RETRY_S

    async def refresh(self) -> None:
        """Fetch the keys, or wait for the fetch that is under way. A failure is remembered, not raised."""
        if self._flight is None:
            now = self._monotonic()
            if self._keys is not None and now - self._loaded_at < ISSUER_KEYS_FRESH_S:
                self._searched_at = now
            self._flight = asyncio.create_task(self._fetch())
        flight = self._flight
        # One who stops waiting must not end the fetch for the others, nor the end of the fetch cancel those who wait.
        await asyncio.wait([flight])
        if not flight.cancelled():
            flight.result()

    async def _fetch(self) -> None:
        try:
            keys = await self._load()
        except KeySetError as error:
            self._fail(str(error))
        except asyncio.CancelledError:
            self._fail("the server is stopping")
            raise
        except BaseException as error:
            # A fault of ours must not become a flood of requests either.
            self._fail(f"unexpected {type(error).__name__}")
            raise
        else:
            self._keys, self._loaded_at, self._failure = keys, self._monotonic(), None
        finally:
            self._flight = None

    def _fail(self, reason: str) -> None:
        self._failure, self._failed_at = reason, self._monotonic()

    @property
    def busy(self) -> bool:
        """Whether a fetch is under way."""
        return self._flight is not None

    async def close(self) -> None:
        """End a fetch that is under way."""
        flight = self._flight
        if flight is not None:
            flight.cancel()
            await asyncio.wait([flight])
