"""The sync protocol: sessions, subscriptions with shared results, and Transitions that are of one moment."""

from convexpy.sync.hub import Hub, QueryOutcome, QueryRunner
from convexpy.sync.session import Backend, Session

__all__ = ["Backend", "Hub", "QueryOutcome", "QueryRunner", "Session"]
