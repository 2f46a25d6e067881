"""What `convexpy dev` says at a terminal: saves in quick succession share a line."""

from __future__ import annotations

import io

import pytest

from convexpy.client import PushResult
from convexpy_cli.dev import screen as dev_screen
from convexpy_cli.dev.screen import Screen
from convexpy_cli.dev.states import ShowLive, Snapshot
from convexpy_cli.output.rich import RichOutput
from convexpy_cli.output.settings import Settings


class _Tty(io.StringIO):
    def isatty(self) -> bool:
        return True


def terminal(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """Return a terminal that is stderr for the rest of the test."""
    stream = _Tty()
    monkeypatch.setattr("sys.stderr", stream)
    monkeypatch.setattr(dev_screen, "BURST_S", 1e9)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    return stream


def pushed(*files: str) -> ShowLive:
    counts = {"functions": 1, "tables": 1, "indexes": 1}
    return ShowLive(1, PushResult(version=1, unchanged=False, counts=counts), Snapshot({}, "save", files))


def test_quick_saves_are_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = terminal(monkeypatch)
    screen = Screen(RichOutput(Settings()))
    screen.live(pushed(), 5)
    for name in ("a.py", "b.py", "a.py"):
        screen.live(pushed(name), 5)
    lines = shown.getvalue().splitlines()
    assert "a.py and 1 more → pushed (2 changed, 3 times)" in lines[-1]
    assert [line.startswith("\x1b[1A\x1b[2K") for line in lines] == [False, False, True, True]


def test_a_line_that_came_between_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = terminal(monkeypatch)
    output = RichOutput(Settings())
    screen = Screen(output)
    screen.live(pushed(), 5)
    screen.live(pushed("a.py"), 5)
    output.log_line("hello", "INFO")
    screen.live(pushed("a.py"), 5)
    output.note("by the way")
    screen.live(pushed("a.py"), 5)
    assert "\x1b[1A" not in shown.getvalue()


def test_nothing_is_replaced_beside_a_companion(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = terminal(monkeypatch)
    screen = Screen(RichOutput(Settings()), in_place=False)
    for _ in range(3):
        screen.live(pushed("a.py"), 5)
    assert "\x1b[1A" not in shown.getvalue()
