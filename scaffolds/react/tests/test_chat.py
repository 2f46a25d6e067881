"""The chat's functions, in an in-memory deployment."""

from datetime import timedelta

import pytest
from convexpy import ConvexError
from convexpy.testing import ConvexTest


@pytest.fixture
def ada(convex: ConvexTest) -> ConvexTest:
    return convex.with_identity(subject="ada", name="Ada")


def channel_of(convex: ConvexTest, name: str = "general") -> str:
    found: str = convex.mutation("channels:create", name=name)
    return found


def test_who_comes_in_first_finds_a_channel(ada: ConvexTest) -> None:
    assert ada.query("channels:list") == []
    ada.mutation("users:enter")
    ada.mutation("users:enter")
    assert [channel["name"] for channel in ada.query("channels:list")] == ["general"]
    assert ada.query("users:recent") == ["Ada"]
    assert ada.query("users:me") == "Ada"


def test_those_who_leave_or_fall_silent_are_not_here(convex: ConvexTest, ada: ConvexTest) -> None:
    grace = convex.with_identity(subject="grace", name="Grace")
    for person in (ada, grace):
        person.mutation("users:enter")
    with convex.subscribe("users:recent") as names:
        assert names.next() == ["Ada", "Grace"]
        grace.mutation("users:leave")
        assert names.next() == ["Ada"]
        convex.advance(timedelta(minutes=1))
        grace.mutation("users:enter")
        assert names.next() == ["Ada", "Grace"]
        convex.advance(timedelta(minutes=1))
        assert names.next() == ["Grace"]


def test_pages_cover_every_message_of_a_channel_once(ada: ConvexTest) -> None:
    channel, other = channel_of(ada), channel_of(ada, "#random")
    for number in range(7):
        ada.mutation("messages:send", channelId=channel, body=str(number))
    ada.mutation("messages:send", channelId=other, body="elsewhere")
    bodies, cursor, done = list[str](), None, False
    while not done:
        options = {"numItems": 3, "cursor": cursor}
        page = ada.query("messages:page", channelId=channel, paginationOpts=options)
        bodies += [message["body"] for message in page["page"]]
        cursor, done = page["continueCursor"], page["isDone"]
    assert bodies == ["6", "5", "4", "3", "2", "1", "0"]


def test_a_message_bears_the_name_of_who_sent_it(convex: ConvexTest, ada: ConvexTest) -> None:
    grace = convex.with_identity(subject="grace", name="Grace")
    channel = channel_of(ada)
    options = {"numItems": 10, "cursor": None}
    with convex.subscribe("messages:page", channelId=channel, paginationOpts=options) as pages:
        assert pages.next()["page"] == []
        grace.mutation("messages:send", channelId=channel, body=" hi ", author="Ada")
        assert [(each["author"], each["body"]) for each in pages.next()["page"]] == [("Grace", "hi")]


def test_an_empty_message_leaves_nothing_behind(ada: ConvexTest) -> None:
    channel = channel_of(ada)
    with pytest.raises(ConvexError):
        ada.mutation("messages:send", channelId=channel, body="   ")
    assert ada.query("users:recent") == []


def test_the_webhook_posts_and_refuses(convex: ConvexTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEBHOOK_SECRET", "s3cret")
    message = {"channel": "general", "author": "curl", "body": "hi"}
    right = {"x-webhook-secret": "s3cret"}
    assert convex.fetch("/post", method="POST", json=message).status_code == 403
    assert convex.fetch("/post", method="POST", json={"channel": "x"}, headers=right).status_code == 400
    assert convex.query("channels:list") == []
    assert convex.fetch("/post", method="POST", json=message, headers=right).status_code == 200
    assert convex.query("users:recent") == ["curl"]
    assert convex.fetch("/health").json() == {"status": "ok"}
