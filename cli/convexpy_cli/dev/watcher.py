"""Watching files: from events of the system to snapshots that really differ.

An event says only that something may have changed. The files are hashed again, those named by the event in any case,
and nothing is reported if every content is what it was: touching a file or an editor's atomic save without a change.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from convexpy.errors import ProjectError
from convexpy.project import FunctionsFolder, Project, is_pushed
from convexpy_cli import errors
from convexpy_cli.dev import inotify
from convexpy_cli.dev.states import FilesBroken, FilesChanged, Snapshot

QUIET_MS = 5
STEP_MS = 10
GROUP_MS = 50
CHECK_S = 5.0
"""Folders are looked at so often whatever is told: nothing tells of a link that leads elsewhere now."""
MISSING_CHECK_S = 1.0
RESTART_S_MIN = 0.5
RESTART_S_MAX = 30.0
_SETTINGS = ("convexpy.toml", "pyproject.toml")
# File systems that do not tell about changes made on their other side.
_REMOTE_FILE_SYSTEMS = {"9p", "cifs", "smb3", "smbfs", "nfs", "nfs4", "vboxsf", "fuse.sshfs", "drvfs"}


class Watcher:
    """Looks at a project's files when the system says that something changed, in threads of its own."""

    def __init__(
        self,
        project: Project,
        report: Callable[[FilesChanged | FilesBroken], None],
        warn: Callable[[str], None],
        *,
        poll: bool,
    ) -> None:
        self._project = project
        self._folder = FunctionsFolder.of(project, warn)
        self._report = report
        self._warn = warn
        self._warned: set[str] = set()
        self._poll = poll
        self._stop = threading.Event()
        self._stop_read, self._stop_write = os.pipe()
        self._lock = threading.Lock()
        self._seen: dict[str, str] | None = None
        self._settings = self._settings_text()
        self._threads: list[threading.Thread] = []

    def snapshot(self, cause: str) -> Snapshot:
        """Read the files as they are now; later events are compared with this.

        Raises:
            ProjectError: they cannot be pushed.
        """
        with self._lock:
            files = self._folder.scan()
            self._seen = {path: file.sha256 for path, file in files.items()}
            return Snapshot(files, cause)

    def start(self) -> None:
        """Begin to watch."""
        root = self._project.root
        folders = [self._project.functions, *(root / extra for extra in self._project.config.watch_extra)]
        self._spawn(folders, recursive=True)
        # The folder and not its files: an atomic save replaces the file that would be watched.
        self._spawn([root], recursive=False)

    def stop(self) -> None:
        """Stop watching, and wait for the threads."""
        if self._stop.is_set():
            return
        self._stop.set()
        os.close(self._stop_write)
        for thread in self._threads:
            thread.join(timeout=5.0)
        os.close(self._stop_read)

    def _spawn(self, folders: list[Path], *, recursive: bool) -> None:
        thread = threading.Thread(
            target=self._watch_on, args=(folders, recursive), daemon=True, name="watch files"
        )
        thread.start()
        self._threads.append(thread)

    def _watch_on(self, folders: list[Path], recursive: bool) -> None:
        """Watch until told to stop: a watcher that fails is named, and started again."""
        delay_s = RESTART_S_MIN
        while not self._stop.is_set():
            began = time.monotonic()
            places = _places(folders)
            try:
                self._watch(folders, recursive, places)
            except Exception as error:  # noqa: BLE001 - whatever it was, the next save must be seen
                self._warn_once(f"watching files failed, starting again: {type(error).__name__}: {error}")
                if time.monotonic() - began > 10 * RESTART_S_MAX:
                    delay_s = RESTART_S_MIN
                self._stop.wait(delay_s)
                delay_s = min(2 * delay_s, RESTART_S_MAX)
            if not self._stop.is_set():
                # What happened between two watchers has no event.
                self._look_again()

    def _warn_once(self, text: str) -> None:
        if text not in self._warned:
            self._warned.add(text)
            self._warn(text)

    def _look_again(self) -> None:
        try:
            self.look(())
        except OSError as error:
            self._warn_once(f"reading files failed, trying again: {error}")
            self._stop.wait(RESTART_S_MIN)

    def _watch(self, folders: list[Path], recursive: bool, places: list[tuple[int, int] | None]) -> None:
        """Watch until told to stop, or until a folder is not the one from before: the system watches what was there."""
        all_folders = folders
        folders = [folder for folder, place in zip(folders, places, strict=True) if place is not None]
        if not folders:
            self._stop.wait(RESTART_S_MIN)
            return
        timeout_s = CHECK_S if len(folders) == len(all_folders) else MISSING_CHECK_S
        for paths in self._changes(folders, recursive, timeout_s):
            if paths:
                self.look(paths)
            if _places(all_folders) != places:
                return

    def _changes(self, folders: list[Path], recursive: bool, timeout_s: float) -> Iterator[set[str]]:
        """Yield the paths of groups of events, and an empty set after a time without."""

        def wanted(path: str) -> bool:
            return self._is_source(path) if recursive else _name(path) in _SETTINGS

        if sys.platform == "linux" and not self._poll:
            yield from inotify.watch(
                folders,
                recursive=recursive,
                wanted=wanted,
                stop_fd=self._stop_read,
                quiet_ms=QUIET_MS,
                group_ms=GROUP_MS,
                timeout_s=timeout_s,
            )
            return
        from watchfiles import watch

        for group in watch(
            *folders,
            watch_filter=lambda _, path: wanted(path),
            debounce=GROUP_MS,
            step=STEP_MS,
            stop_event=self._stop,
            rust_timeout=int(timeout_s * 1000),
            recursive=recursive,
            force_polling=self._poll or None,
            raise_interrupt=False,
            yield_on_timeout=True,
        ):
            yield {path for _, path in group}

    def look(self, paths: Iterable[str]) -> None:
        """Report a new snapshot if any content differs from the last one. `paths` are read in any case."""
        changed = tuple(sorted(paths))
        with self._lock:
            settings = self._settings_text()
            try:
                files = self._folder.scan(changed)
            except ProjectError as error:
                self._seen = None
                self._report(FilesBroken(errors.shown(error)))
                return
            hashes = {path: file.sha256 for path, file in files.items()}
            if hashes == self._seen and settings == self._settings:
                return
            before = self._seen or {}
            differing = {path for path in {*before, *hashes} if before.get(path) != hashes.get(path)}
            names = tuple(sorted(differing)) or ("settings",)
            self._seen, self._settings = hashes, settings
            self._report(FilesChanged(Snapshot(files, names[0], names)))

    def _is_source(self, path: str) -> bool:
        functions = str(self._project.functions) + os.sep
        if not path.startswith(functions):
            return is_pushed(_name(path))
        return is_pushed(path[len(functions) :].replace(os.sep, "/"))

    def _settings_text(self) -> Any:
        file = self._project.config.file
        try:
            return file.read_bytes() if file else None
        except OSError:
            return None


def _name(path: str) -> str:
    return os.path.basename(path)  # noqa: PTH119 - called for every event


def _places(folders: list[Path]) -> list[tuple[int, int] | None]:
    """Return which folder of the file system each is; None for one that is not there."""
    places: list[tuple[int, int] | None] = []
    for folder in folders:
        try:
            found = folder.stat()
            places.append((found.st_dev, found.st_ino))
        except OSError:
            places.append(None)
    return places


def needs_polling(folder: Path, setting: str | bool) -> bool:
    """Return whether files are to be looked at again and again, since the system tells nothing there."""
    if setting != "auto":
        return bool(setting)
    mounts = Path("/proc/mounts")
    if not mounts.is_file():
        return False
    best, kind = "", ""
    for line in mounts.read_text(encoding="utf-8", errors="replace").splitlines():
        _, point, file_system, *_ = line.split()
        inside = str(folder).startswith(point.rstrip("/") + "/") or str(folder) == point
        if inside and len(point) >= len(best):
            best, kind = point, file_system
    return kind in _REMOTE_FILE_SYSTEMS
