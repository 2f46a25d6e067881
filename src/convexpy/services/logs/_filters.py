"""Which log entries a reader wants: kinds of filters combine with and, several of one kind with or."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

import msgspec

from convexpy.errors import ArgumentError

LEVELS = ("DEBUG", "INFO", "LOG", "WARN", "ERROR")
KINDS = ("query", "mutation", "action", "http", "cron", "scheduled")
_OF_CALLER = {"Cron": "cron", "Scheduler": "scheduled"}


class LogFilter(msgspec.Struct, frozen=True, kw_only=True):
    """What a reader asks for. Times are milliseconds since the epoch; `level` is the lowest that is wanted."""

    functions: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    level: str | None = None
    request: str | None = None
    status: str | None = None
    slow_ms: float | None = None
    since: float | None = None
    until: float | None = None
    success: bool = True

    @classmethod
    def read(cls, given: Mapping[str, list[str]]) -> LogFilter:
        """Return the filter that the parameters of a request stand for.

        Raises:
            ArgumentError: one of them makes no sense.
        """
        kinds = tuple(given.get("kind", ()))
        unknown = [kind for kind in kinds if kind not in KINDS]
        if unknown:
            raise _bad(f"no kind {unknown[0]!r}: {', '.join(KINDS)}")
        levels = [level.upper() for level in given.get("level", ())]
        if any(level not in LEVELS for level in levels):
            raise _bad(f"no level {levels[0].lower()!r}: {', '.join(LEVELS).lower()}")
        status = _last(given, "status")
        if status not in (None, "ok", "error"):
            raise _bad(f"no status {status!r}: ok or error")
        return cls(
            functions=tuple(given.get("function", ())),
            kinds=kinds,
            level=min(levels, key=LEVELS.index, default=None),
            request=_last(given, "requestId"),
            status=status,
            slow_ms=_number(given, "slow"),
            since=_number(given, "since"),
            until=_number(given, "until"),
            success=_last(given, "success") != "0",
        )

    def applied(self, entry: dict[str, Any]) -> dict[str, Any] | None:
        """Return the entry with the lines that are wanted, or None if nothing of it is."""
        if not self._entry_fits(entry):
            return None
        if self.level is None and self.success:
            return entry
        lines = [line for line in entry.get("logLines", ()) if self._line_fits(line)]
        if lines or entry.get("error"):
            return {**entry, "logLines": lines}
        # With a level, a call that went well is not of interest for having ended.
        return entry if self.success and self.level is None else None

    def _entry_fits(self, entry: dict[str, Any]) -> bool:
        path, ts = str(entry.get("identifier", "")), float(entry["timestamp"]) * 1000
        ended = entry["kind"] == "Completion"
        if self.request is not None and entry.get("requestId") != self.request:
            return False
        if self.functions and not any(_names(glob, path, entry) for glob in self.functions):
            return False
        if self.kinds and not set(_kinds(entry)) & set(self.kinds):
            return False
        if self.status is not None and (not ended or (self.status == "error") != bool(entry.get("error"))):
            return False
        if self.slow_ms is not None and (not ended or entry["executionTime"] * 1000 < self.slow_ms):
            return False
        return (self.since is None or ts >= self.since) and (self.until is None or ts <= self.until)

    def _line_fits(self, line: Mapping[str, Any]) -> bool:
        level = str(line.get("level", "LOG"))
        return self.level is None or level not in LEVELS or LEVELS.index(level) >= LEVELS.index(self.level)


def _names(glob: str, path: str, entry: Mapping[str, Any]) -> bool:
    """Say whether a glob means this function; `http:*` means HTTP actions, `http:/hook*` some of them."""
    if entry.get("udfType") == "HttpAction" and glob.startswith("http:"):
        route = path.partition(" ")[2]
        return fnmatchcase(path, glob[5:]) or fnmatchcase(route, glob[5:])
    return fnmatchcase(path, glob)


def _kinds(entry: Mapping[str, Any]) -> tuple[str, ...]:
    kind = str(entry.get("udfType", "")).lower()
    return "http" if kind == "httpaction" else kind, _OF_CALLER.get(str(entry.get("caller")), "")


def _bad(text: str) -> ArgumentError:
    return ArgumentError(text, code="BadLogFilter")


def _last(given: Mapping[str, list[str]], name: str) -> str | None:
    found = given.get(name)
    return found[-1] if found else None


def _number(given: Mapping[str, list[str]], name: str) -> float | None:
    text = _last(given, name)
    try:
        return None if text is None else float(text)
    except ValueError as error:
        raise _bad(f"{name} must be a number, not {text!r}") from error
