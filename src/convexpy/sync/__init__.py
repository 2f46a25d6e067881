"""The sync protocol: sessions, subscriptions with shared results, and Transitions that are from one point in time."""

from convexpy.sync.hub import Hub, QueryOutcome, QueryRunner
from convexpy.sync.interface import Backend, Done
from convexpy.sync.session import Session
from convexpy.sync.shares import ActionShares

__all__ = ["ActionShares", "Backend", "Done", "Hub", "QueryOutcome", "QueryRunner", "Session"]
