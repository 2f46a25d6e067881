"""What a transaction has used and may use."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from convexpy.errors import ArgumentError, LimitExceeded
from convexpy.limits import TransactionBudget

LIMIT_NAMES = TransactionBudget.__struct_fields__

_READ_LESS = (
    " Consider using smaller limits in your queries, paginating your queries, or using indexed queries with "
    "a selective index range expressions."
)
# Per limit: code and sentence as Convex has them.
_TEXTS = {
    "documents_read": (
        "TooManyDocumentsRead",
        "Too many documents read in a single function execution (limit: {limit}).",
        _READ_LESS,
    ),
    "bytes_read": (
        "TooManyBytesRead",
        "Too many bytes read in a single function execution (limit: {limit} bytes).",
        _READ_LESS,
    ),
    "database_queries": (
        "TooManyReads",
        "Too many reads in a single function execution (limit: {limit}).",
        _READ_LESS,
    ),
    "documents_written": (
        "TooManyWrites",
        "Too many documents written in a single function execution (limit: {limit}).",
        "",
    ),
    "bytes_written": (
        "TooManyBytesWritten",
        "Too many bytes written in a single function execution (limit: {limit} bytes).",
        "",
    ),
    "functions_scheduled": (
        "TooManyFunctionsScheduled",
        "Too many functions scheduled by this mutation (limit: {limit}).",
        "",
    ),
    "scheduled_function_args_bytes": (
        "TooLargeScheduledFunctionArguments",
        "Too large total size of the arguments of scheduled functions from this mutation "
        "(limit: {limit} bytes).",
        "",
    ),
}
_UNLIMITED = dict.fromkeys(LIMIT_NAMES, 1 << 62)


@lru_cache(maxsize=16)
def _limits_of(budget: TransactionBudget) -> dict[str, int]:
    """Return the limits by name; the dictionary is shared and never changed."""
    return {name: int(getattr(budget, name)) for name in LIMIT_NAMES}


class Usage:
    """Counters of one transaction, each with its limit.

    `documents_read` and `documents_read_max`, and so on.
    """

    # Counters start on the class: a call pays for those that it uses.
    bytes_read: int = 0
    bytes_written: int = 0
    documents_read: int = 0
    documents_written: int = 0
    database_queries: int = 0
    functions_scheduled: int = 0
    scheduled_function_args_bytes: int = 0

    def __init__(self, budget: TransactionBudget) -> None:
        self.bytes_read_max: int = budget.bytes_read
        self.documents_read_max: int = budget.documents_read
        self.database_queries_max: int = budget.database_queries
        self.bytes_written_max: int = budget.bytes_written
        self.documents_written_max: int = budget.documents_written
        self._limits: TransactionBudget | dict[str, int] = budget

    @property
    def limits(self) -> dict[str, int]:
        """The limits by name, not to be changed."""
        return self._limits if isinstance(self._limits, dict) else _limits_of(self._limits)

    def query(self) -> None:
        """Count one query or get."""
        self.database_queries += 1
        if self.database_queries > self.database_queries_max:
            self.fail("database_queries")

    def read(self, size: int) -> None:
        """Count one document read."""
        self.documents_read += 1
        self.bytes_read += size
        if self.documents_read > self.documents_read_max:
            self.fail("documents_read")
        if self.bytes_read > self.bytes_read_max:
            self.fail("bytes_read")

    def write(self, size: int) -> None:
        """Count one document written."""
        self.documents_written += 1
        self.bytes_written += size
        if self.documents_written > self.documents_written_max:
            self.fail("documents_written")
        if self.bytes_written > self.bytes_written_max:
            self.fail("bytes_written")

    def charge(self, name: str, amount: int) -> None:
        """Add to the counter `name`.

        Raises:
            LimitExceeded: it passed its limit.
        """
        used = getattr(self, name) + amount
        setattr(self, name, used)
        if used > self.limits[name]:
            self.fail(name)

    def fail(self, name: str) -> None:
        """Raise the error of a limit that was passed."""
        code, text, advice = _TEXTS[name]
        limit, used = self.limits[name], getattr(self, name)
        raise LimitExceeded(
            f"{text.format(limit=limit)}{advice} ({name}: {used} used)",
            limit=name,
            code=code,
            data={"limit": name, "used": used, "max": limit},
        )

    def tighten(self, limits: Mapping[str, int] | None) -> dict[str, int]:
        """Allow only this much more from now on; return the limits as they were, for `restore`."""
        before = self.limits
        if limits:
            tightened = dict(before)
            for name, amount in limits.items():
                if name not in tightened:
                    raise ArgumentError(f"unknown limit {name!r} (known: {', '.join(LIMIT_NAMES)})")
                tightened[name] = min(tightened[name], getattr(self, name) + int(amount))
            self.restore(tightened)
        return before

    def restore(self, limits: dict[str, int]) -> None:
        """Set the limits that `tighten` returned."""
        self._limits = limits
        self.bytes_read_max = limits["bytes_read"]
        self.documents_read_max = limits["documents_read"]
        self.database_queries_max = limits["database_queries"]
        self.bytes_written_max = limits["bytes_written"]
        self.documents_written_max = limits["documents_written"]

    def pause(self) -> tuple[dict[str, int], dict[str, int]]:
        """Stop counting: from now on there are no limits; return what `resume` needs."""
        limits, used = self.limits, {name: getattr(self, name) for name in LIMIT_NAMES}
        self.restore(_UNLIMITED)
        return limits, used

    def resume(self, counted: tuple[dict[str, int], dict[str, int]]) -> None:
        """Go on from where `pause` was called."""
        limits, used = counted
        self.restore(limits)
        for name, amount in used.items():
            setattr(self, name, amount)

    def as_mapping(self) -> dict[str, tuple[int, int]]:
        """Return `(used, limit)` by name."""
        return {name: (getattr(self, name), limit) for name, limit in self.limits.items()}
