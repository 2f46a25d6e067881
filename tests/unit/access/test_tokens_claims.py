"""From claims to identities, and when tokens begin and cease to be valid."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from support.issuer import Issuer

from convexpy.access import TokenRefused, TokenVerifier
from convexpy.access._claims import check_times, identity_of
from convexpy.values import from_json, normalize, to_json

BASE = {"iss": "https://clerk.example.com/", "sub": "user_1", "aud": "convex", "exp": 200, "iat": 100}
OWN = {"tokenIdentifier": "https://clerk.example.com/|user_1", "issuer": BASE["iss"], "subject": "user_1"}


def oidc(**claims: Any) -> dict[str, Any]:
    found = identity_of({**BASE, **claims}, custom=False)
    assert OWN.items() <= found.items()
    return {name: value for name, value in found.items() if name not in OWN}


def custom(**claims: Any) -> dict[str, Any]:
    found = identity_of({**BASE, **claims}, custom=True)
    assert OWN.items() <= found.items()
    return {name: value for name, value in found.items() if name not in OWN}


@pytest.mark.parametrize(
    ("claim", "field"),
    [
        ("name", "name"), ("given_name", "givenName"), ("family_name", "familyName"), ("nickname", "nickname"),
        ("preferred_username", "preferredUsername"), ("profile", "profileUrl"), ("picture", "pictureUrl"),
        ("website", "websiteUrl"), ("email", "email"), ("gender", "gender"), ("birthdate", "birthday"),
        ("zoneinfo", "timezone"), ("locale", "language"), ("phone_number", "phoneNumber"),
    ],
)  # fmt: skip
def test_standard_claims_get_convex_names(claim: str, field: str) -> None:
    assert oidc(**{claim: "text"}) == {field: "text"}
    assert oidc(**{claim: None}) == {}
    assert oidc(**{claim: 5}) == {}
    assert custom(**{claim: "text"}) == {claim: "text"}


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        ({"email_verified": True}, {"emailVerified": True}),
        ({"email_verified": "false"}, {"emailVerified": False}),
        ({"email_verified": 1}, {}),
        ({"phone_number_verified": False}, {"phoneNumberVerified": False}),
        ({"address": {"formatted": "1 Main St", "country": "NZ"}}, {"address": "1 Main St"}),
        ({"address": "1 Main St"}, {"address": "1 Main St"}),
        ({"address": {"country": "NZ"}}, {}),
        ({"updated_at": 1_700_000_000}, {"updatedAt": "2023-11-14T22:13:20+00:00"}),
        ({"updated_at": 1_700_000_000.5}, {"updatedAt": "2023-11-14T22:13:20.500000+00:00"}),
        ({"updated_at": "2023-11-14T22:13:20Z"}, {"updatedAt": "2023-11-14T22:13:20Z"}),
        ({"updated_at": 10**300}, {}),
        ({"updated_at": True}, {}),
    ],
)
def test_standard_claims_that_are_no_plain_text(claims: dict[str, Any], expected: dict[str, Any]) -> None:
    assert oidc(**claims) == expected


def test_claims_that_change_at_each_refresh_are_dropped() -> None:
    passing = {"jti": "1", "nbf": 1, "fva": [1, 2]}
    assert oidc(**passing) == {}
    assert custom(**passing) == {}


def test_custom_claims_keep_names_and_values() -> None:
    claims = {
        "org": {"id": 1, "roles": ["a", {"b": None}]},
        "azp": "x",
        "https://a.example/role": "admin",
        "n": None,
    }
    assert oidc(**claims) == claims
    assert custom(**claims) == {
        "org.id": 1, "org.roles": ["a", {"b": None}], "azp": "x", "https://a.example/role": "admin", "n": None,
    }  # fmt: skip


@pytest.mark.parametrize("make", [oidc, custom])
def test_no_claim_hides_who_the_caller_is(make: Any) -> None:
    assert make(tokenIdentifier="root", subject="root", issuer="me") == {}


def test_a_custom_claim_does_not_hide_a_standard_one() -> None:
    assert oidc(email_verified=False, emailVerified=True) == {"emailVerified": False}


def test_values_are_convex_values() -> None:
    found = oidc(
        whole=5.0, small=-3, big=2**60, bigger=10**30, inner=[{"x": 2**53 + 2}], flag=True, nothing=None
    )
    assert found["big"] == float(2**60)
    assert isinstance(found["inner"][0]["x"], float)
    assert from_json(to_json(normalize(found))) == normalize(found)


@pytest.mark.parametrize("make", [oidc, custom])
def test_claims_that_are_no_convex_values_are_refused(make: Any) -> None:
    deep: Any = 1
    for _ in range(40):
        deep = [deep]
    for claims in ({"x": 10**400}, {"x": deep}, {"x": [0] * 9000}):
        with pytest.raises(TokenRefused) as caught:
            make(**claims)
        assert caught.value.code == "InvalidAuthHeader"


def test_what_clerk_sends() -> None:
    with Issuer() as issuer:
        verifier = TokenVerifier(development=False)
        verifier.configure([issuer.provider()])
        verified = asyncio.run(verifier.verify(issuer.clerk_token("user_1")))
    assert verified.claims == {
        "tokenIdentifier": f"{issuer.url}|user_1", "issuer": issuer.url, "subject": "user_1",
        "name": "Ada Lovelace", "nickname": "ada", "givenName": "Ada", "familyName": "Lovelace",
        "email": "ada@example.com", "emailVerified": True, "phoneNumberVerified": False,
        "pictureUrl": "https://img.clerk.com/ada.png", "updatedAt": "2023-11-14T22:13:20+00:00",
        "azp": "http://localhost:5173",
    }  # fmt: skip


# Times: the clocks of two machines may differ by five seconds.


@pytest.mark.parametrize(
    ("now", "claims", "outcome"),
    [
        (150, {"exp": 200}, None),
        (204.9, {"exp": 200}, None),
        (205, {"exp": 200}, "expired"),
        (150, {"exp": 200, "nbf": 155}, None),
        (150, {"exp": 200, "nbf": 155.5}, "will be valid in 6 seconds (nbf)"),
        (150, {"exp": 200, "iat": 155}, None),
        (150, {"exp": 200, "iat": 156}, "will be valid in 6 seconds (iat)"),
        (150, {}, "does not say when it expires"),
        (150, {"exp": True}, "not a number"),
        (150, {"exp": 10**400}, "beyond float64"),
        (150, {"exp": 200, "nbf": "x"}, "not a number"),
    ],
)
def test_clock_skew(now: float, claims: dict[str, Any], outcome: str | None) -> None:
    if outcome is None:
        assert check_times(claims, now, issued=False) == 205
        return
    with pytest.raises(TokenRefused) as caught:
        check_times(claims, now, issued=False)
    assert outcome in caught.value.reason
    assert (caught.value.code == "TokenExpired") == (outcome == "expired")


def test_only_id_tokens_must_say_when_they_were_issued() -> None:
    assert check_times({"exp": 200}, 150, issued=False) == 205
    with pytest.raises(TokenRefused, match="Could not verify"):
        check_times({"exp": 200}, 150, issued=True)


def test_a_remembered_token_expires_too() -> None:
    now = time.time()
    with Issuer() as issuer:
        verifier = TokenVerifier(development=False, now=lambda: now)
        verifier.configure([issuer.provider()])
        token = issuer.token(expires_in_s=60)
        verified = asyncio.run(verifier.verify(token))
        assert verifier.verify_cached(token) is verified
        now = verified.expires_at_s
        with pytest.raises(TokenRefused) as caught:
            verifier.verify_cached(token)
        assert caught.value.code == "TokenExpired"
