"""Signals: who makes an event known does not know who acts on it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, ParamSpec

P = ParamSpec("P")


class Signal(Generic[P]):
    """An event with its receivers, which are called in the order in which they were connected."""

    def __init__(self) -> None:
        self._receivers: list[Callable[P, None]] = []

    def connect(self, receiver: Callable[P, None]) -> None:
        """Have `receiver` called at every event from now on."""
        self._receivers.append(receiver)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> None:
        """Call every receiver."""
        for receiver in self._receivers:
            receiver(*args, **kwargs)
