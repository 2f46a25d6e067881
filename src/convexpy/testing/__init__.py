"""Tests of apps: a fresh in-memory deployment, run by the real engine."""

from convexpy.testing._surface import ConvexTest, Subscription

__all__ = ["ConvexTest", "Subscription"]
