"""Reading what clients send, secrets, and the errors that clients see."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Mapping
from typing import Any, NoReturn

from convexpy.errors import ConvexError

EMAIL_LENGTH_MAX = 254
TEXT_LENGTH_MAX = 2000
CODE_DIGITS = 8
_email = re.compile(r"[!-?A-~]+@[a-z0-9-]+(\.[a-z0-9-]+)+").fullmatch
_MESSAGES = {
    "AccountExists": "There is an account with this address: sign in instead.",
    "AccountLinkedElsewhere": "That account belongs to another user.",
    "InvalidCode": "The code is wrong, was used, or has expired.",
    "InvalidCredentials": "The address or the password is wrong.",
    "LastAccount": "This is the only way to sign in.",
    "NotSignedIn": "Sign in first.",
    "RedirectNotAllowed": "This address is not allowed after sign-in.",
    "SignInAgain": "Sign in again to do this.",
    "TooManyAttempts": "Too many attempts: wait a little.",
    "UnknownProvider": "There is no such way to sign in.",
}


def refuse(code: str, message: str = "", **details: Any) -> NoReturn:
    """Raise what the client gets: a `ConvexError` with `code`, `message` and details."""
    raise ConvexError({"code": code, "message": message or _MESSAGES[code], **details})


def read_text(params: Mapping[str, Any], name: str) -> str:
    """Return a parameter that must be text.

    Raises:
        ConvexError: `InvalidParameter`.
    """
    found = params.get(name)
    if not isinstance(found, str) or not found or len(found) > TEXT_LENGTH_MAX:
        refuse("InvalidParameter", f"{name} is missing", parameter=name)
    return found


def read_email(params: Mapping[str, Any], name: str = "email") -> str:
    """Return an address in the form by which accounts are found.

    Raises:
        ConvexError: `InvalidParameter`.
    """
    email = read_text(params, name).strip().lower()
    if len(email) > EMAIL_LENGTH_MAX or not _email(email) or email.count("@") != 1:
        refuse("InvalidParameter", f"{email[:EMAIL_LENGTH_MAX]!r} is not an e-mail address", parameter=name)
    return email


def new_secret() -> str:
    """Return 256 random bits as text for addresses and headers."""
    return secrets.token_urlsafe(32)


def new_code() -> str:
    """Return a code of digits, for people to type."""
    return f"{secrets.randbelow(10**CODE_DIGITS):0{CODE_DIGITS}}"


def digest(secret: str) -> str:
    """Return the SHA-256 of a secret with 256 random bits; short ones need `keyed_digest`."""
    return hashlib.sha256(secret.encode()).hexdigest()
