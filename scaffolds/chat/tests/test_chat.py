"""The chat's functions, in an in-memory deployment."""

from datetime import timedelta

import pytest
from convexpy import ConvexError
from convexpy.testing import ConvexTest


def send(convex: ConvexTest, body: str, channel: str = "general") -> str:
    found: str = convex.mutation("messages:send", channel=channel, author="Ada", body=body)
    return found


def test_messages_come_oldest_first_and_stay_in_their_channel(convex: ConvexTest) -> None:
    for body in ("one", "two", "three"):
        send(convex, body)
    send(convex, "elsewhere", channel="#random")
    listed = convex.query("messages:list", channel="general", limit=2)
    assert [message["body"] for message in listed] == ["two", "three"]
    assert [channel["name"] for channel in convex.query("channels:list")] == ["general", "random"]


def test_an_empty_message_leaves_nothing_behind(convex: ConvexTest) -> None:
    with pytest.raises(ConvexError):
        send(convex, "   ")
    assert convex.query("channels:list") == []
    assert convex.query("users:recent") == []


def test_who_falls_silent_is_not_here(convex: ConvexTest) -> None:
    for name in ("Ada", "Grace"):
        convex.mutation("users:enter", name=name)
    with convex.subscribe("users:recent") as names:
        assert names.next() == ["Ada", "Grace"]
        convex.advance(timedelta(minutes=1))
        convex.mutation("users:enter", name="Grace")
        convex.advance(timedelta(minutes=1))
        assert names.next() == ["Grace"]


def test_pages_cover_every_message_once(convex: ConvexTest) -> None:
    for number in range(7):
        send(convex, str(number))
    channel = convex.query("channels:list")[0]["_id"]
    bodies, cursor, done = list[str](), None, False
    while not done:
        options = {"numItems": 3, "cursor": cursor}
        page = convex.query("messages:page", channelId=channel, paginationOpts=options)
        bodies += [message["body"] for message in page["page"]]
        cursor, done = page["continueCursor"], page["isDone"]
    assert bodies == ["6", "5", "4", "3", "2", "1", "0"]


def test_a_subscription_sees_what_the_webhook_posts(convex: ConvexTest) -> None:
    with convex.subscribe("messages:list", channel="general") as messages:
        assert messages.next() == []
        answer = convex.fetch("/post", method="POST", json={"channel": "general", "author": "curl", "body": "hi"})
        assert answer.status_code == 200
        assert [message["author"] for message in messages.next()] == ["curl"]


def test_the_webhook_refuses_what_is_no_message(convex: ConvexTest) -> None:
    assert convex.fetch("/post", method="POST", json={"channel": "general"}).status_code == 400
    assert convex.fetch("/health").json() == {"status": "ok"}
