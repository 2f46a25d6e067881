"""What a session keeps between two Transitions: its subscriptions, what the client has asked for, and the next moment."""

from __future__ import annotations

from dataclasses import dataclass, field

from convexpy.protocol import sync
from convexpy.sync.entries import Key, QueryEntry, Run


@dataclass(slots=True)
class Subscription:
    """One query id of the session's query set."""

    entry: QueryEntry
    key: Key
    sent_hash: int | None = None
    journal: str | None = None


@dataclass(slots=True)
class Pin:
    """The moment that a Transition in the making will be of, and what it waits for."""

    row: int
    ts: int
    query_set: int
    identity: int
    waiting: set[Run]
    results: dict[int, Run]
    removed: list[int]
    void: bool = False


@dataclass(slots=True)
class Pending:
    """What the client has sent since the last moment was fixed."""

    modifications: list[sync.AddQuery | sync.RemoveQuery] = field(default_factory=list)
    identity_changed: bool = False
