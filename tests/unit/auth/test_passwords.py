"""Sign-in by password: who gets in, who does not, and what the refused learn."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import argon2
import pytest
from support.sign_in_people import GOOD, OTHER, People


@pytest.fixture
def hashes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Count the hash operations of the real hasher."""
    made: list[str] = []

    def counted(name: str) -> Callable[..., Any]:
        real = getattr(argon2.PasswordHasher, name)

        def call(*args: Any) -> Any:
            made.append(name)
            return real(*args)

        return call

    for name in ("hash", "verify"):
        monkeypatch.setattr(argon2.PasswordHasher, name, counted(name))
    return made


def test_signing_up_verifies_the_address_and_signs_in(people: People) -> None:
    assert people.sign_in(flow="signUp", email=" Ada@Example.com", password=GOOD, name="Ada") == {
        "started": True
    }
    assert people.convex.run(lambda ctx: ctx.db.query("users").collect()) == []
    code = people.code("ada@example.com")
    answer = people.sign_in(flow="email-verification", email="ada@example.com", code=code)
    ada = people.as_(answer["tokens"])
    assert ada.query("notes:me") == {"email": "ada@example.com", "name": "Ada", "role": "member"}
    who = ada.action("notes:who")
    assert who
    assert ada.action("notes:who_blocking") == who
    again = people.sign_in(flow="signIn", email="ADA@example.com", password=GOOD)
    assert people.as_(again["tokens"]).query("notes:mine") == []


@pytest.mark.parametrize("marks", [{}, {"attempt": "of another browser"}])
def test_a_code_confirms_the_sign_up_of_its_own_browser_and_nobody_elses(
    people: People, marks: dict[str, str]
) -> None:
    """Somebody signs up with Ada's address after her; the code that she gets last is for that."""
    ada = {"email": "ada@example.com", "attempt": "of Ada's browser"}
    people.sign_in(flow="signUp", password=GOOD, **ada)
    people.sign_in(flow="signUp", password=OTHER, email="ada@example.com", **marks)
    code = people.code("ada@example.com")
    assert people.refused(flow="email-verification", code=code, **ada)["code"] == "InvalidCode"
    assert people.convex.run(lambda ctx: ctx.db.query("users").collect()) == []
    people.sign_in(flow="signUp", password=GOOD, **ada)
    assert people.sign_in(flow="email-verification", code=people.code("ada@example.com"), **ada)["tokens"]
    assert people.sign_in(flow="signIn", email="ada@example.com", password=GOOD)["tokens"]


def test_a_marked_sign_up_is_not_confirmed_without_its_mark(people: People) -> None:
    people.sign_in(flow="signUp", email="ada@example.com", password=OTHER, attempt="of another browser")
    code = people.code("ada@example.com")
    refused = people.refused(flow="email-verification", email="ada@example.com", code=code)
    assert refused["code"] == "InvalidCode"


def test_without_verification_signing_up_signs_in(make_people: Callable[..., People]) -> None:
    people = make_people(verify=False)
    ada = people.as_(people.sign_up("ada@example.com"))
    assert ada.query("notes:me")["email"] == "ada@example.com"
    refused = people.refused(flow="signUp", email="ada@example.com", password=OTHER)
    assert refused["code"] == "AccountExists"


def test_one_password_however_it_is_typed(people: People) -> None:
    people.sign_up(
        "ada@example.com", unicodedata.normalize("NFKD", "naïve zebra \N{LATIN SMALL LIGATURE FI}sh café")
    )
    assert people.sign_in(flow="signIn", email="ada@example.com", password="naïve zebra fish café")["tokens"]


@pytest.mark.parametrize(
    ("password", "reason"),
    [("1 short", "short"), ("x" * 257, "long"), ("password1", "common"), ("ada@example.com", "common")],
)
def test_weak_passwords_are_refused(people: People, password: str, reason: str) -> None:
    refused = people.refused(flow="signUp", email="ada@example.com", password=password)
    assert (refused["code"], refused["reason"]) == ("WeakPassword", reason)
    assert people.mail("ada@example.com") == []


@pytest.mark.parametrize(
    "email", ["", "ada", "ada@localhost", "a@b@c.example", "ada@example.com\nBcc: x@y.example"]
)
def test_what_is_no_address_is_refused(people: People, email: str) -> None:
    assert people.refused(flow="reset", email=email)["code"] == "InvalidParameter"


def test_wrong_password_and_unknown_account_look_and_cost_the_same(people: People, hashes: list[str]) -> None:
    people.sign_up("ada@example.com")
    hashes.clear()
    wrong = people.refused(flow="signIn", email="ada@example.com", password=OTHER)
    for_wrong = list(hashes)
    hashes.clear()
    unknown = people.refused(flow="signIn", email="eve@example.com", password=OTHER)
    assert (
        wrong == unknown == {"code": "InvalidCredentials", "message": "The address or the password is wrong."}
    )
    assert for_wrong == hashes == ["verify"]


def test_signing_up_looks_and_costs_the_same_for_an_address_that_has_an_account(
    people: People, hashes: list[str]
) -> None:
    people.sign_up("ada@example.com")
    hashes.clear()
    emails = ("ada@example.com", "eve@example.com")
    answers = [people.sign_in(flow="signUp", email=email, password=OTHER) for email in emails]
    assert answers == [{"started": True}] * 2
    assert hashes == ["hash"] * 2
    assert [people.mail(email)[-1]["kind"] for email in ("ada@example.com", "eve@example.com")] == [
        "account-exists",
        "verify",
    ]
    assert (
        people.refused(flow="signIn", email="ada@example.com", password=OTHER)["code"] == "InvalidCredentials"
    )


def test_a_reset_looks_the_same_for_an_unknown_address(people: People) -> None:
    people.sign_up("ada@example.com")
    answers = [people.sign_in(flow="reset", email=email) for email in ("ada@example.com", "eve@example.com")]
    assert answers == [{"started": True}] * 2
    assert [people.mail(email)[-1]["kind"] for email in ("ada@example.com", "eve@example.com")] == [
        "reset",
        "no-account",
    ]
    refusals = [
        people.refused(flow="reset-verification", email=email, code="00000000", newPassword=OTHER)
        for email in ("ada@example.com", "eve@example.com")
    ]
    assert refusals[0] == refusals[1]


def test_a_reset_changes_the_password_and_ends_all_sessions(people: People) -> None:
    before = people.sign_up("ada@example.com")
    people.sign_in(flow="reset", email="ada@example.com")
    code = people.code("ada@example.com")
    weak = people.refused(flow="reset-verification", email="ada@example.com", code=code, newPassword="short")
    assert weak["code"] == "WeakPassword"
    after = people.sign_in(flow="reset-verification", email="ada@example.com", code=code, newPassword=OTHER)[
        "tokens"
    ]
    assert people.refresh(before) is None
    assert people.as_(before).query("notes:me") is None
    assert people.as_(after).query("notes:me")
    assert (
        people.refused(flow="signIn", email="ada@example.com", password=GOOD)["code"] == "InvalidCredentials"
    )
    assert people.sign_in(flow="signIn", email="ada@example.com", password=OTHER)["tokens"]
    used = people.refused(flow="reset-verification", email="ada@example.com", code=code, newPassword=OTHER)
    assert used["code"] == "InvalidCode"


def test_a_password_that_somebody_set_for_an_address_of_others_is_of_no_use_after_a_reset(
    make_people: Callable[..., People],
) -> None:
    people = make_people(verify=False)
    attacker = people.sign_up("ada@example.com", OTHER)
    people.sign_in(flow="reset", email="ada@example.com")
    code = people.code("ada@example.com")
    people.sign_in(flow="reset-verification", email="ada@example.com", code=code, newPassword=GOOD)
    assert people.refresh(attacker) is None
    assert (
        people.refused(flow="signIn", email="ada@example.com", password=OTHER)["code"] == "InvalidCredentials"
    )


def test_a_hundred_wrong_passwords_slow_down_one_account_and_no_other(
    people: People, hashes: list[str]
) -> None:
    people.sign_up("ada@example.com")
    people.sign_up("bob@example.com")
    hashes.clear()
    codes = []
    for _ in range(100):
        codes.append(people.refused(flow="signIn", email="ada@example.com", password=OTHER)["code"])
        people.convex.advance(timedelta(milliseconds=600))
    tried = codes.count("InvalidCredentials")
    assert (tried, codes.count("TooManyAttempts")) == (len(hashes), 100 - tried)
    assert 5 <= tried <= 12
    right = people.refused(flow="signIn", email="ada@example.com", password=GOOD)
    assert right["code"] == "TooManyAttempts"
    assert people.sign_in(flow="signIn", email="bob@example.com", password=GOOD)["tokens"]
    people.convex.advance(timedelta(minutes=5))
    assert people.sign_in(flow="signIn", email="ada@example.com", password=GOOD)["tokens"]
    assert (
        people.refused(flow="signIn", email="ada@example.com", password=OTHER)["code"] == "InvalidCredentials"
    )


def test_attempts_with_an_unknown_account_are_slowed_down_alike(people: People) -> None:
    codes = [people.refused(flow="signIn", email="eve@example.com", password=OTHER)["code"] for _ in range(8)]
    assert codes[-1] == "TooManyAttempts"


def test_changing_the_password_ends_the_other_sessions(people: People) -> None:
    here = people.sign_up("ada@example.com")
    there = people.sign_in(flow="signIn", email="ada@example.com", password=GOOD)["tokens"]
    ada = people.as_(here)
    with pytest.raises(Exception, match="InvalidCredentials"):
        ada.action("auth:changePassword", currentPassword=OTHER, newPassword=OTHER)
    with pytest.raises(Exception, match="WeakPassword"):
        ada.action("auth:changePassword", currentPassword=GOOD, newPassword="password")
    assert people.as_(there).query("notes:me")
    ada.action("auth:changePassword", currentPassword=GOOD, newPassword=OTHER)
    assert people.as_(there).query("notes:me") is None
    assert ada.query("notes:me")
    assert people.sign_in(flow="signIn", email="ada@example.com", password=OTHER)["tokens"]
    with pytest.raises(Exception, match="NotSignedIn"):
        people.convex.action("auth:changePassword", currentPassword=GOOD, newPassword=OTHER)


def test_stored_hashes_get_the_present_cost(make_people: Callable[..., People]) -> None:
    people = make_people(verify=False)
    people.sign_up("ada@example.com")
    cheap = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(GOOD)

    def secret(ctx: Any) -> str:
        return str(ctx.db.query("authAccounts").first()["secret"])

    people.convex.run(
        lambda ctx: ctx.db.patch(ctx.db.query("authAccounts").first()["_id"], {"secret": cheap})
    )
    people.sign_in(flow="signIn", email="ada@example.com", password=GOOD)
    assert "m=64,t=1" in people.convex.run(secret)
    assert people.sign_in(flow="signIn", email="ada@example.com", password=GOOD)["tokens"]


def test_a_hook_refuses_people_before_anything_is_stored(people: People) -> None:
    people.sign_in(flow="signUp", email="eve@blocked.example", password=GOOD)
    code = people.code("eve@blocked.example")
    refused = people.refused(flow="email-verification", email="eve@blocked.example", code=code)
    assert refused == {"code": "NotInvited"}
    assert people.convex.run(lambda ctx: ctx.db.query("users").collect()) == []


def test_nothing_in_the_tables_opens_an_account(people: People) -> None:
    tokens = people.sign_up("ada@example.com")
    people.sign_in(flow="reset", email="ada@example.com")
    code = people.code("ada@example.com")

    def everything(ctx: Any) -> str:
        tables = ("users", "authSessions", "authAccounts", "authCodes", "authFlows", "authRateLimits")
        return repr([ctx.db.query(table).collect() for table in tables])

    stored = people.convex.run(everything)
    assert len(stored) > 500
    session, family, secret = tokens["refreshToken"].split(".")
    assert session in stored
    for usable in (GOOD, family, secret, code, tokens["token"]):
        assert usable not in stored
