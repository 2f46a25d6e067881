"""Sign-in and notes, in an in-memory deployment."""

import pytest
from convexpy import ConvexError
from convexpy.testing import ConvexTest, sign_in


def test_nobody_sees_notes_of_others(convex: ConvexTest) -> None:
    ada, grace = sign_in(convex, name="Ada"), sign_in(convex, name="Grace")
    note = ada.mutation("notes:add", text=" mine ")
    assert [each["text"] for each in ada.query("notes:list")] == ["mine"]
    grace.mutation("notes:remove", noteId=note)
    assert grace.query("notes:list") == []
    assert len(ada.query("notes:list")) == 1
    ada.mutation("notes:remove", noteId=note)
    assert ada.query("notes:list") == []


def test_who_is_not_signed_in_sees_and_writes_nothing(convex: ConvexTest) -> None:
    assert convex.query("users:me") is None
    assert convex.query("notes:list") == []
    with pytest.raises(ConvexError):
        convex.mutation("notes:add", text="x")


def test_an_empty_note_is_refused(convex: ConvexTest) -> None:
    with pytest.raises(ConvexError):
        sign_in(convex).mutation("notes:add", text="  ")


def test_signing_up_waits_for_the_code(convex: ConvexTest) -> None:
    params = {"flow": "signUp", "email": "ada@example.com", "password": "correct horse battery"}
    answer = convex.action("auth:signIn", provider="password", params=params)
    assert answer == {"started": True}
    assert convex.run(lambda ctx: ctx.db.query("users").collect()) == []
    with pytest.raises(ConvexError):
        params = {"flow": "email-verification", "email": "ada@example.com", "code": "00000000"}
        convex.action("auth:signIn", provider="password", params=params)


def test_deleting_an_account_takes_the_notes_along(convex: ConvexTest) -> None:
    ada = sign_in(convex, name="Ada")
    ada.mutation("notes:add", text="mine")
    ada.action("auth:deleteAccount")
    assert convex.run(lambda ctx: ctx.db.query("notes").collect()) == []
    assert ada.query("users:me") is None
