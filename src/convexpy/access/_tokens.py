"""Reading a token before anything in it is believed.

Strict on purpose: each part has exactly one spelling (no padding, no stray characters, no loose bits at its end), so a
signed token that was changed anywhere is another token, and nothing that two parsers could read differently is let in.
"""

from __future__ import annotations

import base64
from typing import Any, Final

import msgspec

from convexpy.access._refusals import MALFORMED, NOT_VERIFIED, TokenRefused, shown
from convexpy.limits import USER_TOKEN_BYTES_MAX

ALGORITHMS: Final = ("RS256", "ES256", "EdDSA")
"""What may sign a token. No algorithm with a shared secret, and never `none`."""


class ParsedToken(msgspec.Struct, frozen=True):
    """A well-formed token; only its form was checked."""

    algorithm: str
    key_id: str | None
    foreign_key: str | None
    """The header field by which the token brings or names a key of its own; such a key is never used."""
    claims: dict[str, Any]
    issuer: str
    audiences: tuple[str, ...]
    signed: bytes
    signature: bytes


def parse_token(token: str) -> ParsedToken:
    """Return the parts of a token.

    Raises:
        TokenRefused: it is too long, no JWT in compact form, lacks an issuer, or has an algorithm that is not accepted.
    """
    check_length(token)
    parts = token.split(".")
    if len(parts) != 3 or not token.isascii():
        raise TokenRefused(MALFORMED, "the token is not three parts of base64url, separated by points")
    header = _object("header", parts[0])
    claims = _object("payload", parts[1])
    algorithm = _algorithm(header)
    key_id = header.get("kid")
    if key_id is not None and not isinstance(key_id, str):
        raise TokenRefused(MALFORMED, "the key id (kid) in the header is not a string")
    return ParsedToken(
        algorithm,
        key_id,
        next((name for name in ("jwk", "jku", "x5c", "x5u") if name in header), None),
        claims,
        _issuer(claims),
        _audiences(claims),
        f"{parts[0]}.{parts[1]}".encode("ascii"),
        _bytes("signature", parts[2]),
    )


def check_length(token: str) -> None:
    """Refuse a token that is empty or too long to be worth any work.

    Raises:
        TokenRefused: it is.
    """
    if not token:
        raise TokenRefused(MALFORMED, "the token is empty")
    if len(token) > USER_TOKEN_BYTES_MAX:
        raise TokenRefused(
            MALFORMED, f"the token has {len(token)} characters, more than {USER_TOKEN_BYTES_MAX}"
        )


def _bytes(name: str, part: str) -> bytes:
    try:
        decoded = base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
    except ValueError:
        raise TokenRefused(MALFORMED, f"the {name} is not base64url") from None
    if base64.urlsafe_b64encode(decoded).rstrip(b"=") != part.encode("ascii"):
        raise TokenRefused(MALFORMED, f"the {name} is not base64url in its one proper spelling")
    return decoded


def _object(name: str, part: str) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(_bytes(name, part))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise TokenRefused(MALFORMED, f"the {name} is not JSON") from None
    if not isinstance(found, dict):
        raise TokenRefused(MALFORMED, f"the {name} is not a JSON object")
    return found


def _algorithm(header: dict[str, Any]) -> str:
    algorithm = header.get("alg")
    if algorithm not in ALGORITHMS:
        raise TokenRefused(
            NOT_VERIFIED, f"algorithm {shown(algorithm)} is not accepted, only {', '.join(ALGORITHMS)}"
        )
    # An extension marked critical must be understood, and none is; unencoded payloads would be one.
    if "crit" in header or header.get("b64", True) is not True:
        raise TokenRefused(NOT_VERIFIED, "the header demands extensions (crit) that are not supported")
    return str(algorithm)


def _issuer(claims: dict[str, Any]) -> str:
    issuer = claims.get("iss")
    if not isinstance(issuer, str) or not issuer:
        text = "Missing issuer claim ('iss') in JWT payload: it says which configured auth provider the token is of"
        raise TokenRefused(MALFORMED, "the payload has no issuer (iss)", message=text)
    return issuer


def _audiences(claims: dict[str, Any]) -> tuple[str, ...]:
    found = claims.get("aud")
    several = found if isinstance(found, list) else [] if found is None else [found]
    if not all(isinstance(audience, str) for audience in several):
        raise TokenRefused(MALFORMED, "the audience (aud) is neither a string nor a list of strings")
    return tuple(several)
