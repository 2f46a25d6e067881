"""The sync protocol: sessions, subscriptions with shared results, and Transitions that are from one point in time."""

from convexpy.sync.entries import QueryOutcome as QueryOutcome, QueryRunner as QueryRunner
from convexpy.sync.hub import Hub as Hub
from convexpy.sync.interface import Backend as Backend, Done as Done
from convexpy.sync.session import Session as Session
from convexpy.sync.shares import ActionShares as ActionShares
