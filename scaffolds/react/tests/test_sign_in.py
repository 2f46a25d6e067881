"""A name is enough; who is signed in is known by their token."""

import pytest
from convexpy import ConvexError
from convexpy.testing import ConvexTest


def test_a_name_is_enough(convex: ConvexTest) -> None:
    assert convex.query("users:me", author=" Ada ") == "Ada"
    convex.mutation("users:enter", author="Ada")
    convex.mutation("users:enter", author="Ada")
    assert convex.query("users:recent") == ["Ada"]


def test_nobody_says_nothing(convex: ConvexTest) -> None:
    assert convex.query("users:me") is None
    with pytest.raises(ConvexError):
        convex.mutation("channels:create", name="general")
    assert convex.query("channels:list") == []


def test_the_webhook_is_open(convex: ConvexTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WEBHOOK_SECRET", raising=False)
    message = {"channel": "general", "author": "curl", "body": "hi"}
    assert convex.fetch("/post", method="POST", json=message).status_code == 200
