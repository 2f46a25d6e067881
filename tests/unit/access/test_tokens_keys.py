"""Key sets: which keys are used for what, and sets that are written down as data URLs."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any
from urllib.parse import quote

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given, strategies as st
from support.issuer import Issuer, jwk_of, private_key

from convexpy.access import TokenRefused, TokenVerifier
from convexpy.access._jwks import KeySetError, read_data_url, read_key_set
from convexpy.limits import ISSUER_ANSWER_BYTES_MAX, ISSUER_KEYS_MAX


def key_set(*keys: Any) -> bytes:
    return json.dumps({"keys": keys}).encode()


RSA = jwk_of("RS256", private_key("RS256", 0), kid="k")
EC = jwk_of("ES256", private_key("ES256", 0), kid="k")
ED = jwk_of("EdDSA", private_key("EdDSA", 0), kid="k")


@pytest.mark.parametrize(("jwk", "algorithm"), [(RSA, "RS256"), (EC, "ES256"), (ED, "EdDSA")])
def test_a_key_is_for_one_algorithm(jwk: dict[str, Any], algorithm: str) -> None:
    keys = read_key_set(key_set(jwk))
    assert keys.find("other", "nobody") is None
    for other in ("RS256", "ES256", "EdDSA"):
        if other == algorithm:
            assert keys.find(other, "k") is not None
        else:
            with pytest.raises(TokenRefused) as caught:
                keys.find(other, "k")
            assert f"it is for algorithm {algorithm}" in caught.value.reason


def weak() -> dict[str, Any]:
    return jwk_of("RS256", rsa.generate_private_key(public_exponent=65537, key_size=1024), kid="k")


def p384() -> dict[str, Any]:
    return jwk_of("ES256", ec.generate_private_key(ec.SECP384R1()), kid="k")


@pytest.mark.parametrize(
    ("jwk", "words"),
    [
        ({**RSA, "use": "enc"}, "not for signatures"),
        ({**RSA, "key_ops": ["sign"]}, "not for signatures"),
        ({**RSA, "key_ops": "verify"}, "not for signatures"),
        ({**RSA, "alg": "PS256"}, "algorithm 'PS256'"),
        ({**RSA, "alg": "HS256"}, "algorithm 'HS256'"),
        ({**RSA, "n": "AQAB"}, "malformed"),
        ({**RSA, "n": 5}, "malformed"),
        ({"kid": "k", "kty": "RSA"}, "malformed"),
        (weak(), "1024 bits"),
        (p384(), "'P-384'"),
        ({**EC, "x": EC["y"]}, "malformed"),
        ({**ED, "crv": "Ed448"}, "'Ed448'"),
        ({**ED, "x": "AAAA"}, "malformed"),
        ({"kid": "k", "kty": "oct", "k": "c2VjcmV0"}, "'oct'"),
        ({"kid": "k", "kty": ["RSA"]}, "of type"),
        ({"kid": "k"}, "of type None"),
    ],
)
def test_unfit_keys_verify_nothing_and_say_why(jwk: dict[str, Any], words: str) -> None:
    keys = read_key_set(key_set(jwk))
    for algorithm in ("RS256", "ES256", "EdDSA"):
        with pytest.raises(TokenRefused) as caught:
            keys.find(algorithm, "k")
        assert words in caught.value.reason
        for secret in ("n", "x", "k"):
            assert len(str(jwk.get(secret, ""))) < 8 or str(jwk[secret]) not in caught.value.reason


def test_unfit_keys_do_not_spoil_the_others() -> None:
    keys = read_key_set(key_set("text", None, {"kty": "oct", "kid": "k"}, {**RSA, "use": "enc"}, RSA, EC))
    assert keys.find("RS256", "k") is not None
    assert keys.find("ES256", "k") is not None
    assert keys.find("RS256", None) is keys.find("RS256", "k")


def test_a_private_key_that_was_published_is_used_as_its_public_half() -> None:
    keys = read_key_set(key_set({**ED, "d": ED["x"]}))
    key = keys.find("EdDSA", "k")
    assert key is not None
    assert not hasattr(key._key.key if key._key else None, "sign")


def test_the_newer_name_of_eddsa() -> None:
    assert read_key_set(key_set({**ED, "alg": "Ed25519"})).find("EdDSA", "k") is not None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"<html>", "not valid JSON"),
        (b"", "not valid JSON"),
        (b"\xff", "not valid JSON"),
        (b"[" * 5000, "not valid JSON"),
        (b"[]", "no list of keys"),
        (b'{"keys": {}}', "no list of keys"),
        (key_set(*[{}] * (ISSUER_KEYS_MAX + 1)), "101 keys"),
    ],
)
def test_what_is_no_key_set(text: bytes, words: str) -> None:
    with pytest.raises(KeySetError, match=words):
        read_key_set(text)


@given(st.binary(max_size=200))
def test_data_urls(content: bytes) -> None:
    for encoded in (
        base64.b64encode(content),
        base64.urlsafe_b64encode(content),
        base64.b64encode(content).rstrip(b"="),
    ):
        assert read_data_url("data:application/json;charset=utf-8;base64," + encoded.decode()) == content
        assert read_data_url("data:text/plain;BASE64," + quote(encoded, safe="")) == content
    assert read_data_url("data:application/json," + quote(content, safe="")) == content
    assert read_data_url("data:," + quote(content)) == content


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("data:application/json", "no comma"),
        ("data:;base64,****", "not base64"),
        ("data:;base64,AAAAA", "not base64"),
        ("data:," + "x" * (ISSUER_ANSWER_BYTES_MAX + 1), "more than"),
    ],
)
def test_broken_data_urls(address: str, words: str) -> None:
    with pytest.raises(KeySetError, match=words):
        read_data_url(address)


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
@pytest.mark.parametrize("base64_form", [True, False])
def test_keys_in_a_data_url_need_no_issuer(algorithm: str, base64_form: bool) -> None:
    issuer = Issuer(algorithm=algorithm)  # never started
    text = json.dumps(issuer.key_set())
    url = (
        "data:text/plain;charset=utf-8;base64," + base64.b64encode(text.encode()).decode()
        if base64_form
        else "data:application/json," + quote(text)
    )
    verifier = TokenVerifier(development=False)
    verifier.configure([issuer.custom_provider(jwks=url, issuer="https://tokens.example.com")])
    token = issuer.token("alice", iss="https://tokens.example.com")
    assert asyncio.run(verifier.verify(token)).claims["subject"] == "alice"
    assert verifier.verify_cached(token) is not None
    for name, forged in issuer.forged().items():
        with pytest.raises(TokenRefused):
            asyncio.run(verifier.verify(forged))
        assert name
    assert issuer.requests == []


def test_a_broken_data_url_fails_its_own_tokens() -> None:
    issuer = Issuer()
    verifier = TokenVerifier(development=True)
    verifier.configure([issuer.custom_provider(jwks="data:application/json,{}")])
    with pytest.raises(TokenRefused, match="no list of keys") as caught:
        asyncio.run(verifier.verify(issuer.token()))
    assert caught.value.code == "InvalidAuthHeader"
