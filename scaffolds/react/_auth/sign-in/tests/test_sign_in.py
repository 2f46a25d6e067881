"""Only a token says who somebody is."""

import pytest
from convexpy import ConvexError
from convexpy.testing import ConvexTest


def test_a_name_is_not_enough(convex: ConvexTest) -> None:
    assert convex.query("users:me", author="Ada") is None
    with pytest.raises(ConvexError):
        convex.mutation("channels:create", name="general", author="Ada")
    assert convex.query("channels:list") == []


def test_two_people_of_one_name_stay_two(convex: ConvexTest) -> None:
    ids = [convex.with_identity(subject=each, name="Ada").mutation("users:enter") for each in ("a", "b", "a")]
    assert ids[0] == ids[2] != ids[1]


def test_the_webhook_is_closed_without_a_secret(convex: ConvexTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WEBHOOK_SECRET", raising=False)
    message = {"channel": "general", "author": "curl", "body": "hi"}
    assert convex.fetch("/post", method="POST", json=message).status_code == 403
