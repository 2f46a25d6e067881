"""Waiting in the kernel for changes below folders (Linux).

`watchfiles` looks at what has gathered every few milliseconds: quick, but it keeps an idle machine awake. An event is only a
hint here, for files are hashed before anything is pushed, so four system calls are enough.
"""

from __future__ import annotations

import ctypes
import errno
import os
import select
import struct
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

_MODIFY, _ATTRIB, _CLOSE_WRITE = 0x2, 0x4, 0x8
_MOVED_FROM, _MOVED_TO, _CREATE, _DELETE = 0x40, 0x80, 0x100, 0x200
_DELETE_SELF, _MOVE_SELF, _ONLYDIR = 0x400, 0x800, 0x0100_0000
_OVERFLOW, _IGNORED, _IS_FOLDER = 0x4000, 0x8000, 0x4000_0000
_MASK = (
    _MODIFY | _ATTRIB | _CLOSE_WRITE | _MOVED_FROM | _MOVED_TO | _CREATE | _DELETE | _DELETE_SELF | _MOVE_SELF
)
_HEAD = struct.Struct("iIII")
_READ_BYTES = 1 << 16
_CANNOT_ENTER = {errno.ENOENT, errno.EACCES, errno.ENOTDIR, errno.ELOOP}
_FOLDERS_LEFT_OUT = {"node_modules", "venv", "__pycache__", "_generated"}


class Inotify:
    """Watches folders: those named, and all below them if `recursive`."""

    def __init__(self, folders: Iterable[Path], *, recursive: bool) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._recursive = recursive
        self._folders: dict[int, str] = {}
        self._fd = self._checked(self._libc.inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK))
        try:
            for folder in folders:
                self._add(str(folder))
        except BaseException:
            self.close()
            raise

    def fileno(self) -> int:
        """Return the descriptor, which is readable when there are events."""
        return self._fd

    def close(self) -> None:
        """Stop watching."""
        os.close(self._fd)

    def read(self) -> set[str]:
        """Return what the events that have come tell of. Folders that have appeared are watched from now on.

        Raises:
            OSError: the system has lost events, or watches no more folders.
        """
        try:
            data = os.read(self._fd, _READ_BYTES)
        except BlockingIOError:
            return set()
        paths = set()
        position = 0
        while position < len(data):
            watch, mask, _, size = _HEAD.unpack_from(data, position)
            position += _HEAD.size + size
            name = os.fsdecode(data[position - size : position].rstrip(b"\0"))
            if mask & _OVERFLOW:
                raise OSError(errno.EOVERFLOW, "more changes at once than the system keeps")
            folder = self._folders.get(watch, "")
            if mask & _IGNORED:
                self._folders.pop(watch, None)
            path = os.path.join(folder, name)  # noqa: PTH118 - called for every event
            if self._recursive and mask & _IS_FOLDER and mask & (_CREATE | _MOVED_TO):
                self._add(path)
            paths.add(path)
        return paths

    def _add(self, folder: str) -> None:
        watch = self._libc.inotify_add_watch(self._fd, os.fsencode(folder), _MASK | _ONLYDIR)
        if watch < 0 and ctypes.get_errno() in _CANNOT_ENTER:
            return  # gone again, or not to be read: what is in it is not pushed either
        known = self._checked(watch) in self._folders
        self._folders[watch] = folder
        if not self._recursive or known:  # a link may lead to a folder that is watched already
            return
        try:
            below = [entry.path for entry in os.scandir(folder) if _enters(entry)]
        except OSError:
            return
        for path in below:
            self._add(path)

    @staticmethod
    def _checked(result: int) -> int:
        if result < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        return result


def _enters(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir() and not entry.name.startswith(".") and entry.name not in _FOLDERS_LEFT_OUT
    except OSError:
        return False


def watch(
    folders: Iterable[Path],
    *,
    recursive: bool,
    wanted: Callable[[str], bool],
    stop_fd: int,
    quiet_ms: int,
    group_ms: int,
    timeout_s: float,
) -> Iterator[set[str]]:
    """Yield the wanted paths of each group of events; an empty set for others, and when nothing has come for a time.

    A group ends when nothing more has come for `quiet_ms`, or after `group_ms`. Ends when `stop_fd` is closed at its other end.
    """
    events = Inotify(folders, recursive=recursive)
    try:
        poll = select.poll()
        poll.register(events, select.POLLIN)
        poll.register(stop_fd, select.POLLIN)
        while True:
            ready = poll.poll(timeout_s * 1000)
            if any(number == stop_fd for number, _ in ready):
                return
            paths: set[str] = set()
            deadline = time.monotonic() + group_ms / 1000
            while ready and time.monotonic() < deadline:
                paths |= events.read()
                ready = poll.poll(quiet_ms)
            yield {path for path in paths if wanted(path)}
    finally:
        events.close()
