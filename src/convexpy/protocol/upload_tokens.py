"""Tokens of upload URLs: `<issued at, hex ms>.<HMAC-SHA256 of deployment name and time>`.

A token lets its bearer store files for an hour, as often as it likes; it names nobody. The key is `derived_keys.upload_key`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re

from convexpy.errors import RequestError

UPLOAD_PATH = "/api/storage/upload"
UPLOAD_TOKEN_MS = 3_600_000
CLOCK_STEP_MS = 60_000
"""The clock may have gone back since a token was made."""
_TOKEN = re.compile(r"([0-9a-f]{1,16})\.([A-Za-z0-9_-]{43})")


def _signature(key: bytes, name: str, issued: str) -> str:
    message = f"upload\0{name}\0{issued}".encode()
    digest = hmac.digest(key, message, hashlib.sha256)
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def upload_token(key: bytes, name: str, now_ms: int) -> str:
    """Return a token of the deployment `name`, valid from now on for an hour."""
    issued = f"{now_ms:x}"
    return f"{issued}.{_signature(key, name, issued)}"


def upload_url(cloud_url: str, key: bytes, name: str, now_ms: int) -> str:
    """Return an address that takes uploads for an hour."""
    return f"{cloud_url}{UPLOAD_PATH}?token={upload_token(key, name, now_ms)}"


def check_upload_token(token: str | None, key: bytes, name: str, now_ms: int) -> None:
    """Refuse a token that does not open uploads now.

    Raises:
        RequestError: missing, malformed, forged or of another deployment (`StorageTokenInvalid`), or older than an hour
            (`StorageTokenExpired`); status 401.
    """
    found = _TOKEN.fullmatch(token or "")
    if found is None or not hmac.compare_digest(_signature(key, name, found[1]), found[2]):
        raise RequestError(
            "The upload URL is not valid: generate a new one.", status=401, code="StorageTokenInvalid"
        )
    age_ms = now_ms - int(found[1], 16)
    if not -CLOCK_STEP_MS <= age_ms <= UPLOAD_TOKEN_MS:
        raise RequestError(
            "The upload URL has expired: generate a new one.", status=401, code="StorageTokenExpired"
        )
