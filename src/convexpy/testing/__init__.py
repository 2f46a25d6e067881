"""Tests of apps: a fresh in-memory deployment, run by the real engine.

The fixture `convex` comes with the pytest plugin, which is active wherever convexpy is installed.
"""

from typing import Any

from convexpy.testing._surface import ConvexTest as ConvexTest, Subscription as Subscription


def app_module(name: str, /) -> Any:
    """Return a module of the app: `app_module("sessions")`, `app_module("sessions.queries")`."""
    from convexpy.testing import plugin

    return plugin.app_module(name)


def sign_in(convex: ConvexTest, /, **user: Any) -> ConvexTest:
    """Return the deployment as a new user sees it, who has signed in with `convexpy.auth`; keywords are fields of the user.

    For tests of what signed-in users do: no password is made, and no mail sent.
    """
    from convexpy.testing._sign_in import begin_session

    return begin_session(convex, user)
