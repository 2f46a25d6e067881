"""Which provider a token belongs to; broken providers harm no others."""

from __future__ import annotations

import asyncio
import urllib.request

import pytest
from support.issuer import KEYS, Issuer

from convexpy import auth_config, custom_jwt, oidc
from convexpy.access import TokenRefused, TokenVerifier
from convexpy.access._providers import Provider, check_form, choose_provider, read_providers
from convexpy.access._tokens import parse_token
from convexpy.protocol.app_description import ProviderDescription


def read(*described: ProviderDescription, development: bool = False) -> tuple[Provider, ...]:
    return read_providers(described, development=development)


def clerk(domain: str, application_id: str = "convex") -> ProviderDescription:
    return ProviderDescription(domain=domain, application_id=application_id)


def custom(issuer: str, jwks: str, algorithm: str) -> ProviderDescription:
    return ProviderDescription(type="customJwt", issuer=issuer, jwks=jwks, algorithm=algorithm)


@pytest.mark.parametrize(
    "domain", ["https://a.example.com", "https://a.example.com/", "a.example.com", "a.example.com/"]
)
@pytest.mark.parametrize("iss", ["https://a.example.com", "https://a.example.com/", "a.example.com"])
def test_scheme_and_slash_at_the_end_make_no_difference(domain: str, iss: str) -> None:
    token = parse_token(Issuer(algorithm="EdDSA").token(iss=iss))
    assert choose_provider(read(clerk(domain)), token, development=False).issuer == "https://a.example.com"


@pytest.mark.parametrize(
    "iss",
    [
        "https://a.example.com.evil.com", "https://a.example.com/path", "http://a.example.com", "https://A.example.com",
        "https://a.example.com:444", "https://evil.com/https://a.example.com", "https://a.example.com?x", "//a.example.com",
    ],
)  # fmt: skip
def test_other_issuers_are_other_issuers(iss: str) -> None:
    with pytest.raises(TokenRefused) as caught:
        choose_provider(
            read(clerk("https://a.example.com")),
            parse_token(Issuer(algorithm="EdDSA").token(iss=iss)),
            development=False,
        )
    assert caught.value.code == "NoAuthProvider"


def test_the_first_provider_that_fits_is_taken() -> None:
    issuer = "https://a.example.com"
    providers = read(
        clerk(issuer, "one"),
        clerk(issuer, "two"),
        custom(issuer, "https://a.example.com/keys", "RS256"),
    )
    mint = Issuer(algorithm="EdDSA").token
    for audience, position in (("one", 0), ("two", 1), ("three", 2), (None, 2), (["x", "two"], 1)):
        token = parse_token(mint(iss=issuer, aud=audience))
        assert choose_provider(providers, token, development=False) is providers[position]
        if isinstance(audience, list):
            with pytest.raises(TokenRefused, match="Could not verify"):
                check_form(providers[position], token)


@pytest.mark.parametrize(
    ("described", "words"),
    [
        (clerk("undefined"), "not the address of an issuer"),
        (clerk(""), "not the address of an issuer"),
        (clerk("10.0.0.1"), "not the address of an issuer"),
        (clerk("ftp://a.example.com"), "not an http(s) address"),
        (clerk("https://"), "not an http(s) address"),
        (clerk("https://a.example.com:x"), "not an address"),
        (clerk("https://[::1"), "not an address"),
        (clerk("http://a.example.com"), "over https only"),
        (custom("https://a.example.com", "http://b.example.com", "RS256"), "over https only"),
        (custom("https://a.example.com", "https://b.example.com", "HS256"), "'HS256'"),
        (custom("https://a.example.com", "keys", "RS256"), "not an http(s) address"),
    ],
)  # fmt: skip
def test_a_broken_provider_says_what_is_wrong(described: ProviderDescription, words: str) -> None:
    (provider,) = read(described)
    assert words in (provider.fault or "")


@pytest.mark.parametrize(
    "domain",
    [
        "http://localhost:3000",
        "http://127.0.0.1:3000",
        "http://[::1]:3000",
        "http://app.localhost",
        "localhost",
    ],
)
def test_issuers_on_this_machine_may_use_http(domain: str) -> None:
    assert read(clerk(domain))[0].fault is None


def test_development_allows_http_everywhere() -> None:
    assert read(clerk("http://10.0.0.7:8080"), development=True)[0].fault is None


def test_a_broken_provider_fails_only_its_own_tokens() -> None:
    with Issuer() as issuer:
        verifier = TokenVerifier(development=False)
        verifier.configure([clerk("http://broken.example.com"), issuer.provider(), clerk("undefined")])
        assert asyncio.run(verifier.verify(issuer.token())).claims["subject"] == "user"
        with pytest.raises(TokenRefused) as caught:
            asyncio.run(verifier.verify(issuer.token(iss="http://broken.example.com")))
        assert caught.value.code == "AuthProviderDiscoveryFailed"
        assert "over https only" in caught.value.reason
        assert "https" not in caught.value.message


def test_what_an_app_writes_down_can_be_configured() -> None:
    with Issuer(algorithm="EdDSA") as issuer:
        verifier = TokenVerifier(development=True)
        config = auth_config(
            providers=[
                oidc(domain=issuer.url + "/", application_id="one"),
                custom_jwt(issuer=issuer.url, jwks=issuer.url + KEYS, algorithm="EdDSA"),
            ]
        )
        verifier.configure(config.describe())
        one = asyncio.run(verifier.verify(issuer.token(aud="one", given_name="Ada")))
        other = asyncio.run(verifier.verify(issuer.token(aud="other", given_name="Ada")))
        assert one.claims["givenName"] == "Ada"
        assert other.claims["given_name"] == "Ada"


def test_pages_of_a_browser_get_their_tokens_from_the_issuer_of_the_tests() -> None:
    with Issuer(algorithm="EdDSA") as issuer:
        verifier = TokenVerifier(development=False)
        verifier.configure([issuer.provider()])
        with urllib.request.urlopen(f"{issuer.url}/token?sub=alice&expires_in_s=30&name=Ada") as answer:
            assert answer.headers["Access-Control-Allow-Origin"] == "*"
            found = asyncio.run(verifier.verify(answer.read().decode()))
        assert found.claims["name"] == "Ada"


def test_the_identifier_has_the_issuer_exactly_as_in_the_token() -> None:
    with Issuer() as issuer:
        verifier = TokenVerifier(development=False)
        verifier.configure([issuer.provider()])
        found = asyncio.run(verifier.verify(issuer.token(iss=issuer.url + "/")))
        assert found.claims["tokenIdentifier"] == f"{issuer.url}/|user"
