"""Tracebacks of app code: the developer's frames first, ours left out."""

from __future__ import annotations

import traceback
from types import TracebackType

from convexpy.errors import Error, SourceLocation
from convexpy.limits import ERROR_TEXT_LENGTH_MAX, TRACEBACK_LENGTH_MAX

FRAMES_MAX = 40


def user_frames(trace: TracebackType | None, marker: str) -> list[traceback.FrameSummary]:
    """Return the frames of app code, outermost first; `marker` starts the file names of the app (`"convex/"`)."""
    frames = traceback.extract_tb(trace)
    return [frame for frame in frames if frame.filename.startswith(marker)]


def location_of(error: BaseException, marker: str) -> SourceLocation | None:
    """Return where in the app the error happened: the innermost frame of app code."""
    if isinstance(error, SyntaxError) and error.filename:
        return SourceLocation(error.filename, error.lineno, error.offset)
    frames = user_frames(error.__traceback__, marker)
    if not frames:
        return None
    column = frames[-1].colno
    return SourceLocation(frames[-1].filename, frames[-1].lineno, None if column is None else column + 1)


def release(error: BaseException) -> None:
    """Let go of what the frames of a failure hold: the exception may live on in a cycle, or in the app."""
    waiting: list[BaseException] = [error]
    seen: set[int] = set()
    while waiting:
        each = waiting.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        if each.__traceback__ is not None:
            traceback.clear_frames(each.__traceback__)
            each.__traceback__ = None
        waiting += [found for found in (each.__cause__, each.__context__) if found is not None]
        if isinstance(each, BaseExceptionGroup):
            waiting += each.exceptions


def describe_error(error: BaseException) -> str:
    """Return `Class: message`, or just the class when there is no message."""
    name = type(error).__name__
    try:
        text = clipped(str(error))
    except BaseException:  # noqa: BLE001 - an app's __str__ may raise anything
        text = "<its __str__ failed>"
    return f"{name}: {text}" if text else name


def clipped(text: str, length_max: int = ERROR_TEXT_LENGTH_MAX) -> str:
    """Return a text that is no longer than may be kept and sent; its beginning, and how long it was, if it is."""
    if len(text) <= length_max:
        return text
    return f"{text[:length_max]}… (cut: the text has {len(text):,} characters, {length_max:,} are kept)"


def client_frames(error: BaseException, marker: str) -> str:
    """Return the `    at fn (file:line:column)` lines of a failure text, innermost first.

    An error that Python has made of another one, of a StopIteration for instance, has the frames of that.
    """
    lines: list[str] = []
    frames = user_frames(error.__traceback__, marker)
    if not frames and error.__cause__ is not None:
        frames = user_frames(error.__cause__.__traceback__, marker)
    for frame in reversed(frames[-FRAMES_MAX:]):
        column = 1 if frame.colno is None else frame.colno + 1
        lines.append(f"    at {frame.name} ({frame.filename}:{frame.lineno}:{column})")
    return "\n".join(lines)


def full_traceback(error: BaseException, marker: str) -> str:
    """Return the traceback for the log: user frames only, causes included.

    Where no frame is the app's there are all, but none of an error that we raise on purpose: its text says it all.
    """
    parts: list[str] = []
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        frames = user_frames(current.__traceback__, marker)
        if not frames and not isinstance(current, Error):
            frames = list(traceback.extract_tb(current.__traceback__))
        head = "Traceback (most recent call last):\n" if frames else ""
        text = head + "".join(traceback.format_list(frames[-FRAMES_MAX:])) + describe_error(current)
        notes = getattr(current, "__notes__", None)
        lines = map(str, notes) if isinstance(notes, list) else ()
        parts.append("\n".join([text, *lines]))
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
    return clipped("\n\nwhich was caused by\n\n".join(parts), TRACEBACK_LENGTH_MAX)
