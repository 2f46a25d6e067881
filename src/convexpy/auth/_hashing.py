"""Passwords as argon2id hashes, made and checked in threads of their own: at most so many at once, and so many waiting."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from convexpy.auth._texts import refuse

if TYPE_CHECKING:
    from argon2 import PasswordHasher

T = TypeVar("T")
AT_ONCE = max(1, min(4, (os.cpu_count() or 2) // 2))
WAITING_MAX = 64


class Cost(NamedTuple):
    """The cost of a hash, by default what OWASP recommends at least: 19 MiB, two passes, one lane."""

    memory_kib: int = 19 * 1024
    passes: int = 2
    lanes: int = 1


class Checked(NamedTuple):
    """Whether a password was right; `better` is a hash at the present cost, where the known one is cheaper."""

    is_right: bool
    better: str | None = None


class Hashing:
    """Hashes passwords. A check against no hash takes the same work as one against a hash."""

    def __init__(self, cost: Cost) -> None:
        self._hasher = _hasher(cost)
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="convexpy-passwords")
        self._waiting = 0
        self._nobody = self._hasher.hash(secrets.token_urlsafe())

    async def hash(self, password: str) -> str:
        """Return the hash of a password.

        Raises:
            ConvexError: `TooManyAttempts`: too many wait already.
        """
        return await self._in_thread(lambda: self._hasher.hash(password))

    async def check(self, known: str | None, password: str) -> Checked:
        """Compare a password with a hash, or for nobody's with one that fits nothing.

        Raises:
            ConvexError: `TooManyAttempts`: too many wait already.
        """
        return await self._in_thread(lambda: self._checked(known, password))

    def _checked(self, known: str | None, password: str) -> Checked:
        from argon2.exceptions import InvalidHashError, VerificationError

        try:
            self._hasher.verify(known or self._nobody, password)
        except (InvalidHashError, VerificationError):
            return Checked(is_right=False)
        if known is None:
            return Checked(is_right=False)
        is_cheap = self._hasher.check_needs_rehash(known)
        return Checked(is_right=True, better=self._hasher.hash(password) if is_cheap else None)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        if self._waiting >= WAITING_MAX:
            refuse("TooManyAttempts", "The server is busy: try again in a moment.")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._waiting -= 1


def _hasher(cost: Cost) -> PasswordHasher:
    try:
        from argon2 import PasswordHasher
    except ImportError as error:
        raise ImportError("passwords need argon2-cffi: install convexpy[auth]") from error
    return PasswordHasher(time_cost=cost.passes, memory_cost=cost.memory_kib, parallelism=cost.lanes)
