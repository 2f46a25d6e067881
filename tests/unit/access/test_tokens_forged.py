"""No token is believed that its issuer did not sign, for this app, for now."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import example, given, settings, strategies as st
from support.issuer import KEYS, Issuer, b64, private_key, signed

from convexpy.access import TokenRefused, TokenVerifier
from convexpy.access._refusals import CUSTOM_MESSAGES, SAFE_MESSAGES

FORGERIES = sorted(Issuer().forged())
CODES = {
    "unknown issuer": "NoAuthProvider",
    "other audience": "NoAuthProvider",
    "no audience": "NoAuthProvider",
    "expired": "TokenExpired",
    **dict.fromkeys(
        (
            "empty", "garbage", "five parts", "huge", "no issuer", "expiry is text", "payload is not JSON",
            "payload is a list", "not base64", "padded",
        ),
        "InvalidAuthHeader",
    ),
}  # fmt: skip


BEFORE_THE_PROVIDER = {
    "HS256 with the public key", "algorithm None", "algorithm none", "critical extension", "no algorithm",
}  # fmt: skip
"""Refused whoever the issuer is."""


@pytest.fixture(scope="module", params=["RS256", "ES256", "EdDSA"])
def issuer(request: pytest.FixtureRequest) -> Iterator[Issuer]:
    with Issuer(algorithm=request.param) as running:
        yield running


@pytest.fixture(scope="module")
def forged(issuer: Issuer) -> dict[str, str]:
    return issuer.forged()


@pytest.fixture(scope="module")
def verifiers(issuer: Issuer) -> dict[tuple[bool, bool], TokenVerifier]:
    return {
        (development, custom): loaded(issuer, development=development, custom=custom)
        for development in (True, False)
        for custom in (True, False)
    }


def loaded(issuer: Issuer, *, development: bool = False, custom: bool = False) -> TokenVerifier:
    """A verifier that knows the keys of an issuer."""
    verifier = TokenVerifier(development=development)
    verifier.configure([issuer.custom_provider() if custom else issuer.provider()])
    asyncio.run(verifier.verify(issuer.token()))
    return verifier


def refusal(verifier: TokenVerifier, token: str) -> TokenRefused:
    with pytest.raises(TokenRefused) as caught:
        asyncio.run(verifier.verify(token))
    return caught.value


@pytest.mark.parametrize("development", [True, False], ids=["development", "production"])
@pytest.mark.parametrize(
    ("name", "custom"),
    [
        (name, custom)
        for name in FORGERIES
        for custom in (False, True)
        if not custom or name != "several audiences"
    ],
)
def test_forged_tokens_are_refused(
    verifiers: dict[tuple[bool, bool], TokenVerifier],
    forged: dict[str, str],
    name: str,
    custom: bool,
    development: bool,
) -> None:
    token = forged[name]
    refused = refusal(verifiers[development, custom], token)
    code = CODES.get(name, "Unauthenticated")
    if custom and code in ("TokenExpired", "Unauthenticated") and name not in BEFORE_THE_PROVIDER:
        assert refused.code == "InvalidAuthHeader"
    else:
        assert refused.code == code
    assert refused.reason
    if development:
        assert refused.reason in refused.message
    else:
        assert refused.message in {*SAFE_MESSAGES.values(), *CUSTOM_MESSAGES.values()} or name == "no issuer"
    for part in filter(lambda part: len(part) > 20, token.split(".")):
        assert part not in refused.message + refused.reason


def test_each_kind_of_forgery_has_its_own_reason(
    verifiers: dict[tuple[bool, bool], TokenVerifier], forged: dict[str, str]
) -> None:
    verifier = verifiers[False, False]
    # These differ only in how they were made: to the verifier, a signature is wrong, or there is none.
    alike = {"payload changed", "five parts", "no audience"}
    reasons = {name: refusal(verifier, token).reason for name, token in forged.items() if name not in alike}
    assert len(set(reasons.values())) == len(reasons), reasons


def test_keys_that_a_token_brings_are_not_even_asked_for(issuer: Issuer, forged: dict[str, str]) -> None:
    verifier = loaded(issuer)
    issuer.requests.clear()
    assert "(jku) is not used" in refusal(verifier, forged["key set elsewhere"]).reason
    assert "(jwk) is not used" in refusal(verifier, forged["embedded key"]).reason
    assert issuer.requests == []


def test_a_genuine_token_may_name_its_key_set() -> None:
    with Issuer() as issuer:
        verifier = loaded(issuer)
        token = issuer.token("alice", header={"jku": issuer.url + KEYS})
        verified = verifier.verify_cached(token)
        assert verified is not None
        assert verified.claims["subject"] == "alice"


def test_customjwt_accepts_only_the_configured_algorithm_and_needs_a_key_id() -> None:
    with Issuer() as issuer:
        verifier = loaded(issuer, custom=True)
        assert "only RS256" in refusal(verifier, issuer.token(algorithm="ES256")).reason
        assert "missing a 'kid'" in refusal(verifier, issuer.token(header={"kid": None})).reason
        assert (
            "(kid) in the header is not a string" in refusal(verifier, issuer.token(header={"kid": 7})).reason
        )


def test_a_token_without_key_id_is_accepted_only_where_one_key_fits() -> None:
    with Issuer() as issuer:
        verifier = loaded(issuer)
        assert (
            asyncio.run(verifier.verify(issuer.token("alice", header={"kid": None}))).claims["subject"]
            == "alice"
        )
        issuer.rotate(keep=True)
        assert "2 keys" in refusal(loaded(issuer), issuer.token(header={"kid": None})).reason


def test_one_audience_in_a_list_is_one_audience() -> None:
    with Issuer() as issuer:
        assert loaded(issuer).verify_cached(issuer.token(aud=["convex"])) is not None
        custom = loaded(issuer, custom=True)
        assert custom.verify_cached(issuer.token(aud=["another", "convex"])) is not None


def test_without_providers_every_token_is_refused() -> None:
    issuer = Issuer()
    verifier = TokenVerifier(development=True)
    refused = refusal(verifier, issuer.token())
    assert refused.code == "NoAuthProvider"
    assert "no providers configured" in refused.message


def test_developers_are_told_which_providers_there_are() -> None:
    with Issuer() as issuer:
        refused = refusal(loaded(issuer, development=True), issuer.token(aud="other"))
        assert f"configured providers: [OIDC(domain={issuer.url}, app_id=convex)]" in refused.message
        assert "['other']" in refused.message
        hidden = refusal(loaded(issuer), issuer.token(aud="other"))
        assert hidden.message == "No auth provider found matching the given token"


# Laws

EDITS = st.one_of(
    st.tuples(st.just("replace"), st.integers(0, 10_000), st.characters(max_codepoint=0x17F)),
    st.tuples(st.just("insert"), st.integers(0, 10_000), st.characters(max_codepoint=0x17F)),
    st.tuples(st.just("delete"), st.integers(0, 10_000), st.just("")),
    st.tuples(st.just("flip"), st.integers(0, 10_000), st.sampled_from([chr(1 << bit) for bit in range(8)])),
)


def edited(token: str, edit: tuple[str, int, str]) -> str:
    kind, place, text = edit
    place %= len(token)
    if kind == "flip":
        text = chr(ord(token[place]) ^ ord(text))
    return token[:place] + text + token[place + (kind != "insert") :]


@pytest.fixture(scope="module")
def verifier_and_token(issuer: Issuer) -> tuple[TokenVerifier, str]:
    return loaded(issuer), issuer.token("alice", name="Alice")


@pytest.mark.slow
@given(edits=st.lists(EDITS, min_size=1, max_size=3))
@settings(max_examples=300)
def test_no_changed_token_verifies(verifier_and_token: tuple[TokenVerifier, str], edits: Any) -> None:
    verifier, token = verifier_and_token
    changed = token
    for edit in edits:
        changed = edited(changed, edit)
    if changed != token:
        assert verified_or_none(verifier, changed) is None


def test_no_token_verifies_with_another_last_character(verifier_and_token: tuple[TokenVerifier, str]) -> None:
    """Base64 leaves some bits of the last character unused: those must not make another spelling of a token."""
    verifier, token = verifier_and_token
    assert verifier.verify_cached(token) is not None
    for character in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_+/=":
        if character != token[-1]:
            assert verified_or_none(verifier, token[:-1] + character) is None


def verified_or_none(verifier: TokenVerifier, token: str) -> Any:
    try:
        return verifier.verify_cached(token)
    except TokenRefused:
        return None


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
CLAIMS = st.dictionaries(
    st.sampled_from(
        [
            "sub",
            "exp",
            "iat",
            "nbf",
            "aud",
            "iss",
            "name",
            "email_verified",
            "address",
            "updated_at",
            "subject",
            "a",
        ]
    ),
    JSON,
    max_size=6,
)


@pytest.mark.slow
@given(text=st.text(max_size=60) | st.binary(max_size=60).map(b64))
@example("..")
@example("\ud800.\ud800.\ud800")
def test_no_text_does_more_than_be_refused(verifier_and_token: tuple[TokenVerifier, str], text: str) -> None:
    with pytest.raises(TokenRefused):
        verifier_and_token[0].verify_cached(text)


@pytest.mark.slow
@given(claims=CLAIMS, custom=st.booleans())
@settings(max_examples=300)
def test_signed_claims_of_any_form_are_refused_or_a_proper_identity(
    plain: dict[bool, TokenVerifier], shared: Issuer, claims: dict[str, Any], custom: bool
) -> None:
    full = {**shared.claims("bob"), **claims}
    token = signed({"alg": "EdDSA", "kid": "ed-0"}, json.dumps(full).encode(), private_key("EdDSA", 0))
    verified = verified_or_none(plain[custom], token)
    if verified is not None:
        identity = verified.claims
        assert identity["tokenIdentifier"] == f"{full['iss']}|{full['sub']}"
        assert (identity["issuer"], identity["subject"]) == (full["iss"], full["sub"])
        assert verified.expires_at_s > full["exp"]


@pytest.fixture(scope="module")
def shared() -> Iterator[Issuer]:
    with Issuer(algorithm="EdDSA") as running:
        yield running


@pytest.fixture(scope="module")
def plain(shared: Issuer) -> dict[bool, TokenVerifier]:
    return {custom: loaded(shared, custom=custom) for custom in (False, True)}
