"""Sign-in by mail: codes and links are good once, for a while, for few attempts, and for their address alone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from support.sign_in_people import GOOD, OTHER, People

from convexpy import ConvexError, FunctionError


def link_code(people: People, to: str) -> str:
    url = str(people.mail(to)[-1]["url"])
    assert url.startswith("https://notes.example/?code=")
    return url.partition("code=")[2]


def test_a_code_signs_in_and_makes_the_user(people: People) -> None:
    assert people.sign_in("email-code", email="Ada@example.com") == {"started": True}
    tokens = people.sign_in("email-code", email="ada@example.com", code=people.code("ada@example.com"))[
        "tokens"
    ]
    assert people.as_(tokens).query("notes:me") == {
        "email": "ada@example.com",
        "name": None,
        "role": "member",
    }


def test_a_code_is_good_once_for_its_address_and_its_purpose(people: People) -> None:
    people.sign_up("ada@example.com")
    people.sign_in("email-code", email="ada@example.com")
    code = people.code("ada@example.com")
    assert people.refused("email-code", email="eve@example.com", code=code)["code"] == "InvalidCode"
    for flow in ("email-verification", "reset-verification"):
        refused = people.refused(flow=flow, email="ada@example.com", code=code, newPassword=OTHER)
        assert refused["code"] == "InvalidCode"
    assert people.sign_in("email-code", email="ada@example.com", code=f" {code} ")["tokens"]
    assert people.refused("email-code", email="ada@example.com", code=code)["code"] == "InvalidCode"


def test_a_code_cannot_be_guessed(people: People) -> None:
    people.sign_in("email-code", email="ada@example.com")
    code = people.code("ada@example.com")
    wrong = f"{(int(code) + 1) % 10**8:08}"
    for _ in range(5):
        assert people.refused("email-code", email="ada@example.com", code=wrong)["code"] == "InvalidCode"
    assert people.refused("email-code", email="ada@example.com", code=code)["code"] == "InvalidCode"


def test_codes_expire_and_a_new_one_takes_the_place_of_the_old(people: People) -> None:
    people.sign_in("email-code", email="ada@example.com")
    first = people.code("ada@example.com")
    people.sign_in("email-code", email="ada@example.com")
    second = people.code("ada@example.com")
    if first != second:
        assert people.refused("email-code", email="ada@example.com", code=first)["code"] == "InvalidCode"
    people.convex.advance(timedelta(minutes=15))
    assert people.refused("email-code", email="ada@example.com", code=second)["code"] == "InvalidCode"


def test_a_mailbox_is_not_flooded(people: People) -> None:
    for _ in range(3):
        people.sign_in("email-code", email="ada@example.com")
    refused = people.refused(flow="reset", email="ada@example.com")
    assert refused["code"] == "TooManyAttempts"
    assert refused["retryAt"] > 0
    assert len(people.mail("ada@example.com")) == 3
    assert people.sign_in("email-code", email="eve@example.com")["started"]
    people.convex.advance(timedelta(seconds=31))
    assert people.sign_in("email-code", email="ada@example.com")["started"]


def test_a_link_signs_in_once_without_saying_who(people: People) -> None:
    people.sign_in("magic-link", email="ada@example.com")
    code = link_code(people, "ada@example.com")
    assert people.mail("ada@example.com")[-1]["code"] == ""
    assert people.refused(None, code="guess")["code"] == "InvalidCode"
    tokens = people.sign_in(None, code=code)["tokens"]
    assert people.as_(tokens).query("notes:me")["email"] == "ada@example.com"
    assert people.refused(None, code=code)["code"] == "InvalidCode"
    assert people.refused("email-code", email="ada@example.com", code=code)["code"] == "InvalidCode"


def test_all_ways_with_one_verified_address_lead_to_one_user(people: People) -> None:
    tokens = people.sign_up("ada@example.com", name="Ada")
    people.sign_in("magic-link", email="ada@example.com")
    by_link = people.sign_in(None, code=link_code(people, "ada@example.com"))["tokens"]
    assert people.as_(by_link).query("notes:me")["name"] == "Ada"
    assert [account["provider"] for account in people.as_(tokens).query("auth:accounts")] == [
        "password",
        "email",
    ]
    ada = people.as_(tokens)
    ada.mutation("auth:unlinkAccount", provider="email")
    with pytest.raises(ConvexError, match="LastAccount"):
        ada.mutation("auth:unlinkAccount", provider="password")


def test_who_has_no_password_gets_one_by_a_reset(people: People) -> None:
    people.sign_in("email-code", email="ada@example.com")
    people.sign_in("email-code", email="ada@example.com", code=people.code("ada@example.com"))
    people.sign_in(flow="reset", email="ada@example.com")
    code = people.code("ada@example.com")
    people.sign_in(flow="reset-verification", email="ada@example.com", code=code, newPassword=OTHER)
    assert people.sign_in(flow="signIn", email="ada@example.com", password=OTHER)["tokens"]


def test_changing_the_address_is_confirmed_there_and_told_here(people: People) -> None:
    ada = people.as_(people.sign_up("ada@example.com"))
    with pytest.raises(ConvexError, match="InvalidCredentials"):
        ada.action("auth:changeEmail", email="new@example.com", currentPassword=OTHER)
    assert people.mail("new@example.com") == []
    ada.action("auth:changeEmail", email="new@example.com", currentPassword=GOOD)
    code = people.code("new@example.com")
    eve = people.as_(people.sign_up("eve@example.com", OTHER))
    with pytest.raises(ConvexError, match="InvalidCode"):
        ada.action("auth:changeEmail", email="other@example.com", code=code)
    with pytest.raises(ConvexError, match="InvalidCode"):
        eve.action("auth:changeEmail", email="new@example.com", code=code)
    ada.action("auth:changeEmail", email="new@example.com", currentPassword=GOOD)
    ada.action("auth:changeEmail", email="new@example.com", code=people.code("new@example.com"))
    assert ada.query("notes:me")["email"] == "new@example.com"
    assert people.mail("ada@example.com")[-1]["kind"] == "email-changed"
    assert people.sign_in(flow="signIn", email="new@example.com", password=GOOD)["tokens"]
    assert (
        people.refused(flow="signIn", email="ada@example.com", password=GOOD)["code"] == "InvalidCredentials"
    )


def test_an_address_of_somebody_else_looks_free_and_is_not_taken(people: People) -> None:
    people.sign_up("eve@example.com", OTHER)
    ada = people.as_(people.sign_up("ada@example.com"))
    answer: Any = ada.action("auth:changeEmail", email="eve@example.com", currentPassword=GOOD)
    assert answer == {"started": True}
    assert people.mail("eve@example.com")[-1]["kind"] == "account-exists"


def test_deleting_without_a_password_asks_for_a_fresh_sign_in(people: People) -> None:
    people.sign_in("email-code", email="ada@example.com")
    tokens = people.sign_in("email-code", email="ada@example.com", code=people.code("ada@example.com"))[
        "tokens"
    ]
    people.convex.advance(timedelta(minutes=11))
    with pytest.raises(ConvexError, match="SignInAgain"):
        people.as_(tokens).action("auth:deleteAccount")
    people.sign_in("email-code", email="ada@example.com")
    tokens = people.sign_in("email-code", email="ada@example.com", code=people.code("ada@example.com"))[
        "tokens"
    ]
    people.as_(tokens).action("auth:deleteAccount")
    assert people.convex.run(lambda ctx: ctx.db.query("users").collect()) == []


def test_a_deployment_without_a_sender_refuses_what_needs_mail(
    make_people: Callable[..., People], monkeypatch: pytest.MonkeyPatch
) -> None:
    people = make_people(sender="None")
    monkeypatch.delenv("CONVEXPY_DEVELOPMENT")
    with pytest.raises(FunctionError, match=r"send_mail=smtp"):
        people.sign_in("email-code", email="ada@example.com")
