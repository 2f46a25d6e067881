"""Where a server's log goes: stderr, and a copy as JSON lines in a file.

Everything becomes a record: a dict with `ts`, `level`, `type` (`server`, `access`, `function` or `gap`) and fields of its
type. A thread writes them, so that a slow disk or a reader that stands still never holds a request up; what does not fit
into the queue is dropped and counted. The thread lets records gather for a moment: waking it for each would take the
interpreter from the event loop as often.
"""

from __future__ import annotations

import contextlib
import datetime
import functools
import logging
import os
import sys
import threading
import time
from collections import deque
from pathlib import Path
from typing import Any

import msgspec

from convexpy.printable import indented, json_printable, one_line
from convexpy.serve.options import ConfigInvalid, LogFormat, ServeOptions

RECORDS_WAITING_MAX = 20_000
CLOSE_WITHIN_S = 2.0
GATHER_S = 0.02
Record = dict[str, Any]
_encoder = msgspec.json.Encoder()


class LogOutput:
    """Takes records and writes them, from construction until `close`. `form` is that of stderr.

    Raises:
        ConfigInvalid: the file cannot be opened.
    """

    def __init__(self, form: LogFormat, sink: Path | None) -> None:
        self._human = form != "json"
        self._line = colored if form == "color" else human
        self._sink = _open(sink)
        self._waiting: deque[Record] = deque()
        self._arrived = threading.Event()
        self._closing = threading.Event()
        self._dropped = 0
        self._thread = threading.Thread(target=self._run, name="convexpy-log", daemon=True)
        self._thread.start()

    def write(self, record: Record) -> None:
        """Queue a record; never waits."""
        if len(self._waiting) >= RECORDS_WAITING_MAX:
            self._dropped += 1
            return
        self._waiting.append(record)
        if not self._arrived.is_set():
            self._arrived.set()

    def close(self) -> None:
        """Write what is queued; give up on a reader that stands still."""
        self._closing.set()
        self._arrived.set()
        self._thread.join(CLOSE_WITHIN_S)

    def _run(self) -> None:
        while True:
            self._arrived.wait()
            closing = self._closing.wait(GATHER_S)
            self._arrived.clear()
            while self._waiting:
                self._write_some()
            if closing:
                if self._sink is not None:
                    os.close(self._sink)
                return

    def _write_some(self) -> None:
        records: list[Record] = []
        with contextlib.suppress(IndexError):
            while len(records) < 256:
                records.append(self._waiting.popleft())
        if self._dropped:
            lost, self._dropped = self._dropped, 0
            records.append({"ts": now_text(), "level": "WARN", "type": "gap", "lost": lost})
        as_json = b""
        if self._sink is not None or not self._human:
            as_json = b"".join(
                json_printable(_encoder.encode(record).decode()).encode() + b"\n" for record in records
            )
        if self._sink is not None:
            _write_all(self._sink, as_json)
        shown = "".join(self._line(record) + "\n" for record in records).encode(errors="replace")
        _write_all(2, shown if self._human else as_json)


def _open(file: Path | None) -> int | None:
    if file is None:
        return None
    try:
        return os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)
    except OSError as error:
        raise ConfigInvalid(f"--log-sink {file}: {error.strerror}") from error


def _write_all(descriptor: int, data: bytes) -> None:
    with contextlib.suppress(OSError):  # nobody reads, or the disk is full: the service goes on
        while data:
            data = data[os.write(descriptor, data) :]


def now_text() -> str:
    """Return the time as logs show it: UTC, in milliseconds."""
    return moment_text(time.time())


def moment_text(seconds: float) -> str:
    """Return a time since the epoch as logs show it."""
    return _text_of_ms(round(seconds * 1e6) // 1000)


@functools.lru_cache(maxsize=256)
def _text_of_ms(ms: int) -> str:
    moment = datetime.datetime.fromtimestamp(ms / 1000, datetime.UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def human(record: Record) -> str:
    """Return a record as a line for people, and its log lines below. Only lines of the record's own begin at the margin."""
    start = f"{record['ts']} {record['level']:<5} "
    match record["type"]:
        case "access":
            size = f" {record['bytes']} B" if record["bytes"] is not None else ""
            return (
                f"{start}{record['method']} {one_line(record['path'])} {record['status']} {record['ms']:g} ms{size}"
                f" {record['client'] or '-'}"
            )
        case "function":
            lines = [f"    [{line['level']}] {one_line(line['text'])}" for line in record["lines"]]
            error = [f"    {one_line(line)}" for line in (record["error"] or "").splitlines()]
            name = one_line(record["function"])
            head = f"{start}{record['kind']} {name} {record['status']} {record['ms']:g} ms"
            return "\n".join([f"{head} {record['requestId']}", *lines, *error])
        case "gap":
            return (
                f"{start}{record['lost']} log records were lost: they came faster than they could be written"
            )
        case _:
            detail = f"\n    {indented(record['traceback'])}" if record.get("traceback") else ""
            return f"{start}{record['logger']}: {one_line(record['message'])}{detail}"


_COLORS = {"ERROR": 31, "CRITICAL": 31, "WARN": 33, "INFO": 32}


def colored(record: Record) -> str:
    """Return a record as `human` does, with colours of a terminal: the time faint, the level by its weight."""
    time, level, rest = human(record).split(" ", 2)
    return f"\x1b[2m{time}\x1b[0m \x1b[{_COLORS.get(level, 36)}m{level}\x1b[0m {rest}"


class RecordHandler(logging.Handler):
    """Hands what Python code logs to a `LogOutput`."""

    def __init__(self, output: LogOutput) -> None:
        super().__init__()
        self._output = output

    def emit(self, record: logging.LogRecord) -> None:
        """Queue a record (called by `logging`)."""
        fields: Record = {
            "ts": moment_text(record.created),
            "level": "WARN" if record.levelname == "WARNING" else record.levelname,
            "type": "server",
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            fields["traceback"] = logging.Formatter().formatException(record.exc_info)
        self._output.write(fields)


class _LineFormatter(logging.Formatter):
    """Writes a message on one line, and a traceback indented below it."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - a method of the base class
        return one_line(super().formatMessage(record))

    def formatException(self, ei: Any) -> str:  # noqa: N802
        return "    " + indented(super().formatException(ei))


def use_for_logging(output: LogOutput) -> None:
    """Make `output` what Python code logs to."""
    logging.basicConfig(level=logging.INFO, handlers=[RecordHandler(output)], force=True)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)


def plain_logging() -> None:
    """Log to stderr directly, as a development server does: its log is read when it fails."""
    form = "%(asctime)s %(levelname)s %(name)s: %(message)s"
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_LineFormatter(form))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.getLogger("uvicorn").setLevel(logging.WARNING)


def of_server(options: ServeOptions) -> LogOutput | None:
    """Return where records go; None for a development server, which logs as it ever did."""
    if not (options.production or options.access_log or options.function_log or options.log_sink):
        plain_logging()
        return None
    output = LogOutput(options.log_format, options.log_sink)
    use_for_logging(output)
    return output
