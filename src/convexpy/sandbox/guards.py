"""Guards: network, subprocesses and file writes inside queries and mutations raise an error that names the way out.

They stop accidents, not attackers (ARCHITECTURE.md, section 1): a function that is run again must do nothing but read and
write the database. An audit hook sees what the interpreter is about to do; it cannot be removed, so it asks a flag.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar, Token
from typing import Any, Literal

from convexpy.errors import Error

_NETWORK = frozenset(
    f"socket.{name}"
    for name in ["connect", "bind", "sendto", "sendmsg", "getaddrinfo", "gethostbyname", "gethostbyaddr"]
)
_PROCESSES = frozenset(
    [
        "subprocess.Popen",
        "os.system",
        "os.exec",
        "os.posix_spawn",
        "os.spawn",
        "os.fork",
        "os.forkpty",
        "pty.spawn",
    ]
)
_FILES = frozenset(
    {
        f"os.{name}"
        for name in ["remove", "rename", "mkdir", "rmdir", "link", "symlink", "truncate", "chmod", "chown"]
    }
    | {"shutil.rmtree", "shutil.move", "shutil.copyfile", "sqlite3.connect"}
)
_WRITE_FLAGS = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

Guarded = Literal["query", "mutation", "import"]
_guarded: ContextVar[Guarded | None] = ContextVar("convexpy_guarded", default=None)
_installed = False


class ForbiddenInFunction(Error):
    """A query, a mutation or an import did what only actions may do."""


def _refuse(what: str, where: Guarded) -> None:
    if where == "import":
        raise ForbiddenInFunction(
            f"{what} is not allowed while modules are imported: do it in an action", code="ForbiddenAtImport"
        )
    plural = "queries" if where == "query" else "mutations"
    raise ForbiddenInFunction(f"{what} is not allowed in {plural}: use an action")


def _opens_for_writing(args: tuple[Any, ...]) -> bool:
    path, mode, flags = (*args, None, None, None)[:3]
    if isinstance(path, int) or path == os.devnull:
        return False
    if isinstance(mode, str):
        return any(letter in mode for letter in "wax+")
    return isinstance(flags, int) and bool(flags & _WRITE_FLAGS)


def _audit(event: str, args: tuple[Any, ...]) -> None:
    if event not in _WATCHED:
        return
    where = _guarded.get()
    if where is None:
        return
    if event in _NETWORK:
        _refuse("network access", where)
    elif where == "import":
        return
    elif event in _PROCESSES:
        _refuse("starting a process", where)
    elif event in _FILES or (event == "open" and _opens_for_writing(args)):
        _refuse("writing files", where)


_WATCHED = _NETWORK | _PROCESSES | _FILES | {"open"}


def install() -> None:
    """Add the audit hook to this process, once."""
    global _installed
    if not _installed:
        sys.addaudithook(_audit)
        _installed = True


enter: Callable[[Guarded], Token[Guarded | None]] = _guarded.set
"""Refuse what `where` must not do, in this context only, until `leave` is called with what this returns."""
leave: Callable[[Token[Guarded | None]], None] = _guarded.reset


@contextmanager
def guard(where: Guarded) -> Generator[None]:
    """Refuse what `where` must not do inside a `with`; each call uses the cheaper `enter` and `leave`."""
    token = enter(where)
    try:
        yield
    finally:
        leave(token)


@contextmanager
def unguarded() -> Generator[None]:
    """Allow everything again: for the engine's own work inside a call."""
    token = _guarded.set(None)
    try:
        yield
    finally:
        _guarded.reset(token)
