"""What a transaction may use and has used, and what is known about a call."""

from __future__ import annotations

from convexpy.errors import ArgumentError
from convexpy.functions._host import CallHost


class Limit:
    """One limit of the running transaction."""

    __slots__ = ("_maximum", "_used")

    def __init__(self, used: int, maximum: int) -> None:
        self._used = used
        self._maximum = maximum

    @property
    def used(self) -> int:
        """How much is used."""
        return self._used

    @property
    def remaining(self) -> int:
        """How much is left."""
        return max(0, self._maximum - self._used)

    def __repr__(self) -> str:
        return f"Limit(used={self._used}, remaining={self.remaining})"


class Limits:
    """What the transaction has used and has left, now."""

    __slots__ = ("_host",)

    def __init__(self, host: CallHost) -> None:
        self._host = host

    def _limit(self, name: str) -> Limit:
        return Limit(*self._host.usage()[name])

    @property
    def bytes_read(self) -> Limit:
        """Bytes of the documents that were read."""
        return self._limit("bytes_read")

    @property
    def bytes_written(self) -> Limit:
        """Bytes of the documents that were written."""
        return self._limit("bytes_written")

    @property
    def documents_read(self) -> Limit:
        """Documents read, those that a filter dropped included."""
        return self._limit("documents_read")

    @property
    def documents_written(self) -> Limit:
        """Documents inserted, changed or deleted."""
        return self._limit("documents_written")

    @property
    def database_queries(self) -> Limit:
        """Calls of `get` and index ranges read."""
        return self._limit("database_queries")

    @property
    def functions_scheduled(self) -> Limit:
        """Functions scheduled."""
        return self._limit("functions_scheduled")

    @property
    def scheduled_function_args_bytes(self) -> Limit:
        """Bytes of the arguments of scheduled functions."""
        return self._limit("scheduled_function_args_bytes")


class TransactionLimits:
    """A tighter budget for one nested call: `ctx.run_mutation(f, {…}, limits=TransactionLimits(…))`.

    `given` holds the limits that were set, by name.
    """

    __slots__ = ("given",)

    given: dict[str, int]

    def __init__(
        self,
        *,
        bytes_read: int | None = None,
        bytes_written: int | None = None,
        documents_read: int | None = None,
        documents_written: int | None = None,
        database_queries: int | None = None,
        functions_scheduled: int | None = None,
        scheduled_function_args_bytes: int | None = None,
    ) -> None:
        limits = {
            "bytes_read": bytes_read,
            "bytes_written": bytes_written,
            "documents_read": documents_read,
            "documents_written": documents_written,
            "database_queries": database_queries,
            "functions_scheduled": functions_scheduled,
            "scheduled_function_args_bytes": scheduled_function_args_bytes,
        }
        self.given = {name: limit for name, limit in limits.items() if limit is not None}
        for name, limit in self.given.items():
            if type(limit) is not int or limit < 0:
                raise ArgumentError(f"the limit {name} is a whole number from 0, not {limit!r}")


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

    @property
    def client_address(self) -> str | None:
        """The network address of the client, if there is one."""
        return self._host.client_address

    @property
    def user_agent(self) -> str | None:
        """What the client calls itself, if it says so."""
        return self._host.user_agent
