"""Refusals of custom JWTs in development: codes and phrases of the official backend, on which its own suites rely."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from support.issuer import Issuer

from convexpy.access import TokenRefused, TokenVerifier


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    with Issuer() as running:
        yield running


def refused(issuer: Issuer, token: str, **provider: Any) -> TokenRefused:
    verifier = TokenVerifier(development=True)
    verifier.configure([issuer.custom_provider(**provider)])
    with pytest.raises(TokenRefused) as caught:
        asyncio.run(verifier.verify(token))
    return caught.value


@pytest.mark.parametrize(
    ("token", "phrases"),
    [
        ({"header": {"kid": None}}, ["missing a 'kid'", "JWT"]),
        ({"header": {"kid": "key-2 (oops!)"}}, ["Could not decode token", "kid", "key-2 (oops!)"]),
        ({"expires_in_s": -10}, ["Token expired", "seconds ago"]),
        ({"iat_in_s": 10}, ["will be valid in", "timing issues", "iat"]),
    ],
)
def test_of_a_token(issuer: Issuer, token: dict[str, Any], phrases: list[str]) -> None:
    import time

    made = dict(token)
    if "iat_in_s" in made:
        made["iat"] = time.time() + made.pop("iat_in_s")
    found = refused(issuer, issuer.token(**made))
    assert found.code == "InvalidAuthHeader"
    assert [phrase for phrase in phrases if phrase not in found.message] == []


def test_of_a_token_that_is_none(issuer: Issuer) -> None:
    found = refused(issuer, "not.a.jwt")
    assert (found.code, "three base64-encoded parts" in found.message) == ("InvalidAuthHeader", True)


def test_of_a_key_set_that_cannot_be_read(issuer: Issuer) -> None:
    found = refused(issuer, issuer.token(), jwks="data:application/json,nonsense")
    assert found.code == "InvalidAuthHeader"
    assert "Invalid JWKS response body" in found.message
    assert "not valid JSON" in found.message


def test_of_an_issuer_that_is_not_configured(issuer: Issuer) -> None:
    found = refused(issuer, issuer.token(iss="https://other.example"))
    assert found.code == "NoAuthProvider"
    assert "configured providers" in found.message
    assert f"CustomJWT(issuer={issuer.url}, app_id=" in found.message
