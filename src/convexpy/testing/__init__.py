"""Tests of apps: a fresh in-memory deployment, run by the real engine.

The fixture `convex` comes with the pytest plugin, which is active wherever convexpy is installed.
"""

from typing import Any

from convexpy.testing._surface import ConvexTest as ConvexTest, Subscription as Subscription


def app_module(name: str, /) -> Any:
    """Return a module of the app: `app_module("sessions")`, `app_module("sessions.queries")`."""
    from convexpy.testing import plugin

    return plugin.app_module(name)
