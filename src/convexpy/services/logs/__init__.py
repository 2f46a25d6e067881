"""The function log: what ran, for how long, what it printed; kept in memory, read by long polls; and counts of it."""

from convexpy.services.logs._filters import LogFilter as LogFilter
from convexpy.services.logs._ring import FunctionLog as FunctionLog, LogEntry as LogEntry
from convexpy.services.logs._statistics import FunctionStatistics as FunctionStatistics
