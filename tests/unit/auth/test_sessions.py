"""Sessions: rotation of refresh tokens, theft, lifetimes, signing out, and what queries see of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from support.sign_in_people import GOOD, OTHER, People

from convexpy import ConvexError


def test_a_refresh_token_gives_new_tokens_once_per_use(people: People) -> None:
    first = people.sign_up("ada@example.com")
    second = people.refresh(first)
    assert second
    people.convex.advance(timedelta(minutes=5))
    third = people.refresh(second)
    assert third
    assert len({tokens["refreshToken"] for tokens in (first, second, third)}) == 3
    assert people.as_(third).query("notes:me")


def test_two_tabs_may_use_one_token_at_once(people: People) -> None:
    first = people.sign_up("ada@example.com")
    here, there = people.refresh(first), people.refresh(first)
    assert here
    assert there
    people.convex.advance(timedelta(minutes=30))
    assert people.refresh(there)


@pytest.mark.parametrize("thief_first", [True, False])
def test_a_stolen_token_ends_the_session_when_both_have_used_it(people: People, thief_first: bool) -> None:
    stolen = people.sign_up("ada@example.com")
    other_device = people.sign_in(flow="signIn", email="ada@example.com", password=GOOD)["tokens"]
    people.convex.advance(timedelta(minutes=20))
    one = people.refresh(stolen)
    assert one
    people.convex.advance(timedelta(minutes=20))
    if not thief_first:
        one = people.refresh(one)
        assert one
        people.convex.advance(timedelta(minutes=20))
    assert people.refresh(stolen) is None
    assert people.refresh(one) is None
    assert people.as_(one).query("notes:me") is None
    assert people.refresh(other_device), "other devices go on"


def test_a_thief_within_the_grace_is_found_at_the_next_use(people: People) -> None:
    stolen = people.sign_up("ada@example.com")
    owner, thief = people.refresh(stolen), people.refresh(stolen)
    assert owner
    assert thief
    people.convex.advance(timedelta(hours=1))
    owner = people.refresh(owner)
    assert owner
    people.convex.advance(timedelta(hours=1))
    assert people.refresh(thief) is None
    assert people.refresh(owner) is None


@pytest.mark.parametrize("text", ["", "x", "a.b.c", "..", "x" * 3000, "a.b.c.d"])
def test_what_is_no_refresh_token_is_refused(people: People, text: str) -> None:
    people.sign_up("ada@example.com")
    assert people.refresh({"refreshToken": text}) is None


def test_knowing_the_session_alone_ends_nothing(people: People) -> None:
    tokens = people.sign_up("ada@example.com")
    session, family, _ = tokens["refreshToken"].split(".")
    assert people.refresh({"refreshToken": f"{session}.guess.guess"}) is None
    assert people.refresh(tokens)
    other = people.sign_up("bob@example.com")["refreshToken"].split(".")
    assert people.refresh({"refreshToken": f"{other[0]}.{family}.{other[2]}"}) is None


def test_sessions_end_without_use_and_after_their_lifetime(make_people: Callable[..., People]) -> None:
    people = make_people(options="idle_lifetime=timedelta(hours=4), session_lifetime=timedelta(hours=10)")
    idle = people.sign_up("ada@example.com")
    people.convex.advance(timedelta(hours=5))
    assert people.refresh(idle) is None
    busy = people.sign_in(flow="signIn", email="ada@example.com", password=GOOD)["tokens"]
    for _ in range(3):
        people.convex.advance(timedelta(hours=3))
        refreshed = people.refresh(busy)
        assert refreshed
        busy = refreshed
    people.convex.advance(timedelta(hours=3))
    assert people.refresh(busy) is None


def test_signing_out_ends_what_queries_show_at_once(people: People) -> None:
    tokens = people.sign_up("ada@example.com")
    ada = people.as_(tokens)
    with ada.subscribe("notes:me") as me:
        assert me.next()["email"] == "ada@example.com"
        ada.action("auth:signOut")
        assert me.next() is None
    assert people.refresh(tokens) is None
    with pytest.raises(ConvexError, match="NotSignedIn"):
        ada.mutation("notes:add", text="x")
    ada.action("auth:signOut")  # again, as a second tab does


def test_sessions_are_listed_and_ended_one_by_one_and_together(people: People) -> None:
    tokens = [people.sign_up("ada@example.com")]
    tokens += [
        people.sign_in(flow="signIn", email="ada@example.com", password=GOOD)["tokens"] for _ in range(3)
    ]
    eve = people.as_(people.sign_up("eve@example.com", OTHER))
    ada = people.as_(tokens[0])
    listed = ada.query("auth:sessions")
    assert [session["isCurrent"] for session in listed] == [False, False, False, True]
    eve.mutation("auth:endSession", sessionId=listed[0]["id"])
    eve.mutation("auth:endSession", sessionId="nonsense")
    assert len(ada.query("auth:sessions")) == 4
    ada.mutation("auth:endSession", sessionId=listed[0]["id"])
    assert people.as_(tokens[3]).query("notes:me") is None
    ada.mutation("auth:signOutEverywhere", keepCurrent=True)
    assert [session["isCurrent"] for session in ada.query("auth:sessions")] == [True]
    ada.mutation("auth:signOutEverywhere")
    assert ada.query("auth:sessions") == []
    assert eve.query("notes:me")
    assert people.convex.query("auth:sessions") == []


def test_an_identity_of_another_issuer_is_not_signed_in(people: People) -> None:
    tokens = people.sign_up("ada@example.com")
    session = tokens["refreshToken"].split(".")[0]
    user = people.convex.run(lambda ctx: ctx.db.query("users").first()["_id"])
    for issuer, subject, sid in (
        ("https://other.example", user, session),
        ("http://site.convexpy.test", "somebody", session),
        ("http://site.convexpy.test", user, "x"),
    ):
        foreign = people.convex.with_identity(subject=subject, issuer=issuer, sid=sid)
        assert foreign.query("notes:me") is None
        assert foreign.action("notes:who") is None
        assert foreign.action("notes:who_blocking") is None


def test_deleting_an_account_asks_for_the_password_and_leaves_nothing(people: People) -> None:
    tokens = people.sign_up("ada@example.com")
    ada = people.as_(tokens)
    ada.mutation("notes:add", text="mine")
    for given in ({}, {"currentPassword": OTHER}):
        with pytest.raises(ConvexError, match="InvalidCredentials"):
            ada.action("auth:deleteAccount", given)
    ada.action("auth:deleteAccount", currentPassword=GOOD)
    for table in ("users", "authSessions", "authAccounts", "notes"):
        assert people.convex.run(lambda ctx, table=table: ctx.db.query(table).collect()) == []
    assert people.refresh(tokens) is None
    assert (
        people.refused(flow="signIn", email="ada@example.com", password=GOOD)["code"] == "InvalidCredentials"
    )
