"""From the claims of a token to what `get_user_identity` shows."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

from convexpy.access._refusals import EXPIRED, MALFORMED, NOT_VERIFIED, TokenRefused
from convexpy.limits import ARRAY_LENGTH_MAX, DOCUMENT_NESTING_MAX, TOKEN_CLOCK_SKEW_S

REGISTERED: Final = frozenset({"iss", "sub", "aud", "exp", "iat"})
PASSING: Final = frozenset({"jti", "nbf", "fva"})
"""Claims that change at each refresh: the same person would look like another, and every query would run again."""

TEXTS: Final = {
    "name": "name",
    "given_name": "givenName",
    "family_name": "familyName",
    "nickname": "nickname",
    "preferred_username": "preferredUsername",
    "profile": "profileUrl",
    "picture": "pictureUrl",
    "website": "websiteUrl",
    "email": "email",
    "gender": "gender",
    "birthdate": "birthday",
    "zoneinfo": "timezone",
    "locale": "language",
    "phone_number": "phoneNumber",
}
FLAGS: Final = {"email_verified": "emailVerified", "phone_number_verified": "phoneNumberVerified"}
STANDARD: Final = frozenset({*TEXTS, *FLAGS, "address", "updated_at"})
EXACT_MAX: Final = 2**53


def check_times(claims: dict[str, Any], now_s: float, *, issued: bool) -> float:
    """Return when the token stops being accepted, in seconds since the epoch, the tolerated clock skew included.

    Args:
        claims: The claims of the token.
        now_s: The time, in seconds since the epoch.
        issued: Whether the token must say when it was issued.

    Raises:
        TokenRefused: the token is expired, not valid yet, or does not say when it expires.
    """
    expires, not_before, issued_at = (_time(claims, name) for name in ("exp", "nbf", "iat"))
    if expires is None:
        raise TokenRefused(NOT_VERIFIED, "the token does not say when it expires (exp)")
    if issued and issued_at is None:
        raise TokenRefused(NOT_VERIFIED, "the token does not say when it was issued (iat)")
    if now_s >= expires + TOKEN_CLOCK_SKEW_S:
        raise TokenRefused(EXPIRED, f"Token expired {now_s - expires:.0f} seconds ago (exp)")
    for name, moment in (("nbf", not_before), ("iat", issued_at)):
        if moment is not None and moment > now_s + TOKEN_CLOCK_SKEW_S:
            raise TokenRefused(
                NOT_VERIFIED,
                f"Token will be valid in {moment - now_s:.0f} seconds ({name}): compare the clocks, for timing issues",
            )
    return expires + TOKEN_CLOCK_SKEW_S


def _time(claims: dict[str, Any], name: str) -> float | None:
    found = claims.get(name)
    if found is None:
        return None
    if isinstance(found, bool) or not isinstance(found, int | float):
        raise TokenRefused(MALFORMED, f"the claim {name} is not a number")
    return _number(found)


def identity_of(claims: dict[str, Any], *, custom: bool) -> dict[str, Any]:
    """Return an identity, with Convex's keys.

    Standard claims of OpenID Connect get the names of `UserIdentity`; one of the wrong type is left out, as if the
    issuer had not given it. All else is a custom claim under its own name and never hides a standard one. Of `custom`
    tokens only subject and issuer are standard, and nested objects become `outer.inner` keys.

    Raises:
        TokenRefused: no subject, or claims that are not Convex values (nested too deeply, or a list too long).
    """
    subject, issuer = claims.get("sub"), claims["iss"]
    if not isinstance(subject, str) or not subject:
        raise TokenRefused(NOT_VERIFIED, "the token has no subject (sub)")
    left_out = REGISTERED | PASSING if custom else REGISTERED | PASSING | STANDARD
    others = {name: _value(value, 1) for name, value in claims.items() if name not in left_out}
    found = dict(_flat(others, "")) if custom else {**others, **_standard(claims)}
    found.update(tokenIdentifier=f"{issuer}|{subject}", subject=subject, issuer=issuer)
    return found


def _standard(claims: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for claim, field in TEXTS.items():
        if isinstance(claims.get(claim), str):
            found[field] = claims[claim]
    for claim, field in FLAGS.items():
        # Some issuers send their flags as text.
        flag = {"true": True, "false": False}.get(str(claims.get(claim)).lower())
        if flag is not None:
            found[field] = flag
    address = claims.get("address")
    formatted = address.get("formatted") if isinstance(address, dict) else address
    if isinstance(formatted, str):
        found["address"] = formatted
    updated = _moment(claims.get("updated_at"))
    if updated is not None:
        found["updatedAt"] = updated
    return found


def _moment(updated_at: Any) -> str | None:
    if isinstance(updated_at, str):
        return updated_at
    if isinstance(updated_at, bool) or not isinstance(updated_at, int | float):
        return None
    try:
        return datetime.fromtimestamp(updated_at, UTC).isoformat()
    except (ValueError, OverflowError, OSError):
        return None


def _flat(claims: dict[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for name, value in claims.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def _value(value: Any, depth: int) -> Any:
    """Return a JSON value as a Convex value: numbers are float64, as JSON's numbers are everywhere else."""
    if depth > DOCUMENT_NESTING_MAX:
        raise TokenRefused(MALFORMED, f"the claims are nested more than {DOCUMENT_NESTING_MAX} levels deep")
    if isinstance(value, dict):
        return {name: _value(inner, depth + 1) for name, inner in value.items()}
    if isinstance(value, list):
        if len(value) > ARRAY_LENGTH_MAX:
            raise TokenRefused(MALFORMED, f"a claim is a list of more than {ARRAY_LENGTH_MAX} elements")
        return [_value(inner, depth + 1) for inner in value]
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > EXACT_MAX:
        return _number(value)
    return value


def _number(value: float) -> float:
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise TokenRefused(MALFORMED, "a claim is a number beyond float64")
    return number
