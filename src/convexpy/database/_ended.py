"""A transaction whose call has ended: a ctx that app code has kept does nothing but say so.

The executor turns the transaction of a call into one of these, so calls that run pay nothing for the check.
"""

from __future__ import annotations

from typing import Any, NoReturn

from convexpy.database._usage import Usage
from convexpy.database.transaction import Transaction
from convexpy.errors import Error


class CallEnded(Error):
    """A ctx was used after its call had ended."""

    def __init__(self, function: str, used_for: str) -> None:
        super().__init__(
            f"the ctx of {function or 'a call'} was used for {used_for} after the call had ended: nothing was read or written",
            hint="await everything before the function returns, and keep no ctx for later",
        )


def _refusing(name: str) -> Any:
    def refuse(self: Transaction, *args: Any, **kwargs: Any) -> NoReturn:
        raise CallEnded(self.function, name)

    refuse.__name__ = name
    return refuse


class _EndedTransaction(Transaction):
    """Refuses everything that a ctx can ask for."""

    get = _refusing("db.get")
    stream = _refusing("db.query")
    first = _refusing("db.query")
    unique = _refusing("db.query")
    count = _refusing("db.query")
    paginate = _refusing("db.query")
    prepare = _refusing("db.query")
    scan = _refusing("db.query")
    normalize_id = _refusing("db.normalize_id")
    insert = _refusing("db.insert")
    patch = _refusing("db.patch")
    replace = _refusing("db.replace")
    delete = _refusing("db.delete")
    push = _refusing("a call")
    engine = _refusing("scheduler or storage")
    check_running = _refusing("auth or storage")


class _EndedUsage(Usage):
    """Refuses to count: iterators that were begun during the call read on with this alone."""

    def read(self, size: int) -> NoReturn:
        """Refuse.

        Raises:
            CallEnded: always.
        """
        raise CallEnded("", "db.query")


def end_transaction(transaction: Transaction, function: str) -> None:
    """Refuse whatever is asked of the transaction of this function from now on."""
    transaction.function = function
    transaction.__class__ = _EndedTransaction
    transaction.charges.__class__ = _EndedUsage
