"""Which function answers which system call."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from convexpy.errors import FunctionNotFound
from convexpy.protocol.system import SystemCall, decode_call
from convexpy.sandbox.host import CallContext
from convexpy.values import ConvexObject

C = TypeVar("C", bound=SystemCall[Any])
T = TypeVar("T")
HANDLERS: dict[str, tuple[type[SystemCall[Any]], Callable[[CallContext, Any], Any]]] = {}


def handles(call: type[C]) -> Callable[[Callable[[CallContext, C], T]], Callable[[CallContext, C], T]]:
    """Have the decorated function answer this call; it returns what the call's type says (a test compares them)."""

    def register(function: Callable[[CallContext, C], T]) -> Callable[[CallContext, C], T]:
        HANDLERS[call.path] = (call, function)
        return function

    return register


def prepare() -> None:
    """Have msgspec look at the types of all calls now, not in the first call of each executor."""
    for call, _ in HANDLERS.values():
        with contextlib.suppress(msgspec.ValidationError):
            msgspec.convert({}, call)


def run(path: str, context: CallContext, args: ConvexObject) -> Any:
    """Run a system function; return its result, which `encode_plain` encodes.

    Raises:
        FunctionNotFound: there is none of that path.
        ArgumentError: it does not take these arguments.
    """
    found = HANDLERS.get(path.removesuffix(":default"))
    if found is None:
        raise FunctionNotFound(f"Could not find function for '{path}'.")
    call, function = found
    context.transaction.is_privileged = True
    return function(context, decode_call(call, args))
