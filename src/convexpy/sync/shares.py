"""Each client's share of the actions that run: who starts very many must not leave none for others."""

from __future__ import annotations

from collections import Counter


class ActionShares:
    """Counts the running actions of each address, over sockets and requests; at most `limit`, or any number if that is 0."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._running: Counter[str] = Counter()

    def of(self, address: str | None) -> ActionShare:
        """Return the share of a client."""
        return ActionShare(self, address or "")

    def begin(self, address: str) -> bool:
        """Count an action; False if it is one too many, and is not counted."""
        if self.limit and self._running[address] >= self.limit:
            return False
        self._running[address] += 1
        return True

    def end(self, address: str) -> None:
        """Count the end of an action that was counted."""
        self._running[address] -= 1
        if not self._running[address]:
            del self._running[address]


class ActionShare:
    """The share of one client."""

    __slots__ = ("_address", "_shares")

    def __init__(self, shares: ActionShares, address: str) -> None:
        self._shares = shares
        self._address = address

    def begin(self) -> bool:
        """Count an action; False if it is one too many, and is not counted."""
        return self._shares.begin(self._address)

    def end(self) -> None:
        """Count the end of an action that was counted."""
        self._shares.end(self._address)


UNBOUNDED = ActionShares(0)
