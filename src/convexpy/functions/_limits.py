"""What a transaction may use and has used, and what is known about a call."""

from __future__ import annotations

from typing import Any

import msgspec

from convexpy.errors import ArgumentError
from convexpy.functions._host import ActionHost, CallHost


class Limit(msgspec.Struct, frozen=True):
    """One limit of the running transaction."""

    used: int
    """How much is used."""
    remaining: int
    """How much is left."""


class _Use:
    """An attribute of `Limits`: the limit of that name."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, limits: Limits, owner: Any) -> Limit:
        used, maximum = limits._host.usage()[self._name]
        return Limit(used, max(0, maximum - used))


class Limits:
    """What the transaction has used and has left, now."""

    __slots__ = ("_host",)

    def __init__(self, host: CallHost) -> None:
        self._host = host

    bytes_read: _Use = _Use()
    """Bytes of the documents that were read."""
    bytes_written: _Use = _Use()
    """Bytes of the documents that were written."""
    documents_read: _Use = _Use()
    """Documents read, those that a filter dropped included."""
    documents_written: _Use = _Use()
    """Documents inserted, changed or deleted."""
    database_queries: _Use = _Use()
    """Calls of `get` and index ranges read."""
    functions_scheduled: _Use = _Use()
    """Functions scheduled."""
    scheduled_function_args_bytes: _Use = _Use()
    """Bytes of the arguments of scheduled functions."""


class TransactionLimits(msgspec.Struct, frozen=True, kw_only=True):
    """A tighter budget for one nested call: `ctx.run_mutation(f, {…}, limits=TransactionLimits(…))`."""

    bytes_read: int | None = None
    bytes_written: int | None = None
    documents_read: int | None = None
    documents_written: int | None = None
    database_queries: int | None = None
    functions_scheduled: int | None = None
    scheduled_function_args_bytes: int | None = None

    def __post_init__(self) -> None:
        for name, limit in self.given.items():
            if type(limit) is not int or limit < 0:
                raise ArgumentError(f"the limit {name} is a whole number from 0, not {limit!r}")

    @property
    def given(self) -> dict[str, int]:
        """The limits that were set, by name."""
        limits: dict[str, int | None] = msgspec.structs.asdict(self)
        return {name: limit for name, limit in limits.items() if limit is not None}


class Meta:
    """What is known about the running call."""

    __slots__ = ("_host",)

    def __init__(self, host: CallHost) -> None:
        self._host = host

    @property
    def request_id(self) -> str:
        """The id under which `convexpy logs` finds the call."""
        return self._host.request_id

    @property
    def function(self) -> str:
        """The path: `"sessions:create"`."""
        return self._host.function

    @property
    def limits(self) -> Limits:
        """What the transaction has used and has left."""
        return Limits(self._host)


class ActionMeta(Meta):
    """What is known about the running action and who asked for it."""

    __slots__ = ()
    _host: ActionHost

    @property
    def client_address(self) -> str | None:
        """The network address of the client, if there is one."""
        return self._host.client_address

    @property
    def user_agent(self) -> str | None:
        """What the client calls itself, if it says so."""
        return self._host.user_agent
