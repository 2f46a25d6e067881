"""The watcher of `convexpy dev` goes on, whatever people and tools do to the folder."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import pytest
from support.processes import wait_for

from convexpy.project import open_project
from convexpy_cli.dev import inotify, watcher as watcher_module
from convexpy_cli.dev.states import FilesBroken, FilesChanged
from convexpy_cli.dev.watcher import Watcher

pytestmark = pytest.mark.slow


class Seen:
    """A running watcher, and what it has told."""

    def __init__(self, root: Path) -> None:
        self.events: SimpleQueue[FilesChanged | FilesBroken] = SimpleQueue()
        self.warnings: list[str] = []
        self.watcher = Watcher(open_project(root), self.events.put, self.warnings.append, poll=False)
        self.watcher.snapshot("start")
        self.watcher.start()

    def until_pushed(self, path: str) -> None:
        """Wait for a snapshot with this file."""

        def found() -> bool:
            try:
                event = self.events.get_nowait()
            except Empty:
                return False
            return isinstance(event, FilesChanged) and path in event.snapshot.files

        wait_for(found, what=f"{path}; {self.warnings}")

    def settle(self, folder: Path, name: str) -> None:
        """Save until a save is seen: whoever watches is ready then."""
        number = 0

        def seen() -> bool:
            nonlocal number
            number += 1
            (folder / name).write_text(f"x = {number}\n")
            try:
                event = self.events.get(timeout=0.2)
            except Empty:
                return False
            return isinstance(event, FilesChanged) and name in event.snapshot.files

        wait_for(seen, what=f"a save; {self.warnings}")


@pytest.fixture
def seen(project: Path) -> Iterator[Seen]:
    made = Seen(project)
    yield made
    made.watcher.stop()


def test_what_people_put_into_a_folder(seen: Seen, project: Path) -> None:
    functions = project / "convex"
    seen.settle(functions, "first.py")
    (functions / "loop").symlink_to(functions)
    (functions / "dangling.py").symlink_to("nowhere")
    os.mkfifo(functions / "pipe.py")
    (functions / os.fsdecode(b"\xff.py")).write_text("")
    (functions / "after.py").write_text("x = 1\n")
    seen.until_pushed("after.py")
    assert sorted(text.split(" ")[0] for text in seen.warnings if text.startswith("convex/")) == [
        "convex/\\udcff.py", "convex/dangling.py", "convex/loop/", "convex/pipe.py",
    ]  # fmt: skip
    seen.settle(functions, "last.py")
    assert len(set(seen.warnings)) == len(seen.warnings)


def test_a_folder_that_is_replaced_is_watched_again(seen: Seen, project: Path) -> None:
    functions = project / "convex"
    seen.settle(functions, "first.py")
    shutil.copytree(functions, project / "copy")
    shutil.rmtree(functions)
    (project / "copy").rename(functions)
    seen.settle(functions, "again.py")


def test_folders_that_appear_are_watched(seen: Seen, project: Path) -> None:
    functions = project / "convex"
    seen.settle(functions, "first.py")
    (project / "outside" / "deep").mkdir(parents=True)
    (project / "outside" / "deep" / "moved.py").write_text("x = 1\n")
    (project / "outside").rename(functions / "inside")
    seen.until_pushed("inside/deep/moved.py")
    (functions / "inside" / "deep" / "saved.tmp").write_text("x = 2\n")
    (functions / "inside" / "deep" / "saved.tmp").rename(functions / "inside" / "deep" / "saved.py")
    seen.until_pushed("inside/deep/saved.py")
    (functions / "linked").symlink_to(project / "elsewhere")
    (project / "elsewhere").mkdir()
    seen.settle(functions, "before.py")
    (functions / "linked").unlink()
    (functions / "linked").symlink_to(project / "elsewhere")
    (project / "elsewhere" / "behind.py").write_text("x = 1\n")
    seen.until_pushed("linked/behind.py")


def test_a_watcher_that_dies_is_said_and_started_again(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch, deaths = inotify.watch, []

    def dying(*paths: Any, **options: Any) -> Iterator[Any]:
        if len(deaths) < 2:
            deaths.append(1)
            raise OSError(28, f"inotify watch limit reached, {len(deaths)}")
        yield from watch(*paths, **options)

    monkeypatch.setattr(inotify, "watch", dying)
    monkeypatch.setattr(watcher_module, "RESTART_S_MIN", 0.01)
    seen = Seen(project)
    try:
        seen.settle(project / "convex", "first.py")
    finally:
        seen.watcher.stop()
    assert len(seen.warnings) == 2
    assert all("watching files failed, starting again" in text for text in seen.warnings)
