"""The function log: what ran, for how long, what it printed; kept in memory, read by long polls."""

from convexpy.logs._ring import Completion, FunctionLog, LogEntry

__all__ = ["Completion", "FunctionLog", "LogEntry"]
