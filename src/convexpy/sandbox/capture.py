"""Log capture: `print`, the `logging` module and `ctx.log` inside functions become the log lines of the call.

The sink of the running call is a context variable, so that actions that run side by side keep their lines apart.
Lines are bounded in length and number; a call that prints more than `log_bytes_per_call` fails by name.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable
from contextvars import ContextVar
from io import TextIOBase

from convexpy.errors import LimitExceeded, sendable
from convexpy.limits import LOG_LINE_LENGTH_MAX, LOG_LINES_MAX
from convexpy.protocol.frames import LogLine

app_logger: logging.Logger = logging.getLogger("convexpy.app")
"""The logger behind `ctx.log`."""
TRUNCATED = " (truncated due to length)"
_LEVELS = ((logging.ERROR, "ERROR"), (logging.WARNING, "WARN"), (logging.INFO, "INFO"))


class LogSink:
    """The log lines of one call. `on_line` is told of each one, for actions whose lines stream out while they run."""

    __slots__ = ("_bytes_left", "_bytes_max", "_count", "_function", "_on_line", "_partial", "lines")

    def __init__(
        self, bytes_max: int, on_line: Callable[[LogLine], None] | None = None, function: str = ""
    ) -> None:
        self.lines: list[LogLine] = []
        self._function = function
        self._bytes_left = bytes_max
        self._bytes_max = bytes_max
        self._on_line = on_line
        self._partial: dict[str, str] = {}
        self._count = 0

    def write(self, level: str, text: str) -> None:
        """Add what a stream was given; complete lines become log lines.

        Raises:
            LimitExceeded: the call has logged more than its limit.
        """
        self._spend(len(text))
        text = self._partial.pop(level, "") + text
        *complete, rest = text.split("\n") if len(text) < 4 * LOG_LINE_LENGTH_MAX else (text, "")
        for line in complete:
            self._append(level, line)
        if rest:
            self._partial[level] = rest

    def add(self, level: str, text: str) -> None:
        """Add one record, line breaks included."""
        self._spend(len(text))
        self._append(level, text)

    def note(self, level: str, text: str) -> None:
        """Add a line of the engine's own, which is not the function's expense."""
        self._append(level, text)

    def finish(self) -> list[LogLine]:
        """Return all lines, a last unfinished one included."""
        for level, text in self._partial.items():
            self._append(level, text)
        self._partial.clear()
        return self.lines

    def _spend(self, size: int) -> None:
        self._bytes_left -= size
        if self._bytes_left < 0:
            raise LimitExceeded(
                f"{self._function or 'the function'} passed the limit log_bytes_per_call: "
                f"more than {self._bytes_max} characters were logged by one call",
                limit="log_bytes_per_call",
            )

    def _append(self, level: str, text: str) -> None:
        self._count += 1
        if self._count > LOG_LINES_MAX:
            return
        if self._count == LOG_LINES_MAX:
            level, text = "WARN", f"log overflow: only the first {LOG_LINES_MAX - 1} lines of a call are kept"
        text = sendable(text)
        truncated = len(text) > LOG_LINE_LENGTH_MAX
        if truncated:
            text = text[: LOG_LINE_LENGTH_MAX - len(TRUNCATED)] + TRUNCATED
        line = LogLine(level, text, time.time() * 1000, truncated)
        self.lines.append(line)
        if self._on_line is not None:
            self._on_line(line)


current_sink: ContextVar[LogSink | None] = ContextVar("convexpy_log_sink", default=None)


class CapturedStream(TextIOBase):
    """Stands for `sys.stdout` or `sys.stderr`; outside of a call it writes to the real stream."""

    def __init__(self, level: str, original: object) -> None:
        self._level = level
        self._original = original

    def writable(self) -> bool:
        """Say that `print` may use this."""
        return True

    def write(self, text: str) -> int:
        """Hand the text to the running call."""
        sink = current_sink.get()
        if sink is not None:
            sink.write(self._level, text)
        elif isinstance(self._original, TextIOBase):
            self._original.write(text)
        return len(text)

    def flush(self) -> None:
        """Flush the real stream."""
        if isinstance(self._original, TextIOBase):
            self._original.flush()


class CapturedLogging(logging.Handler):
    """Root handler: records of a running call become its log lines."""

    def emit(self, record: logging.LogRecord) -> None:
        """Add the record to the running call, or drop it."""
        sink = current_sink.get()
        if sink is None:
            return
        level = next((name for number, name in _LEVELS if record.levelno >= number), "DEBUG")
        try:
            text = self.format(record)
        except Exception:  # noqa: BLE001 - a broken log call must not fail the function; logging reports it
            self.handleError(record)
            return
        sink.add(level, text)


def install() -> None:
    """Capture this process's prints and log records from now on."""
    sys.stdout = CapturedStream("LOG", sys.stdout)
    sys.stderr = CapturedStream("ERROR", sys.stderr)
    root = logging.getLogger()
    if not any(isinstance(handler, CapturedLogging) for handler in root.handlers):
        root.addHandler(CapturedLogging())
    root.setLevel(logging.INFO)
    app_logger.setLevel(logging.DEBUG)
