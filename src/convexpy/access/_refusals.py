"""Why a token is refused: a code, a text that is safe for whoever sent it, and the full reason for the server's log."""

from __future__ import annotations

from typing import Final

from convexpy.errors import AuthError

MALFORMED: Final = "InvalidAuthHeader"
"""The token is not a signed JWT, or lacks what every token must say."""
NO_PROVIDER: Final = "NoAuthProvider"
"""No issuer of `auth_config.py` fits the token."""
EXPIRED: Final = "TokenExpired"
"""The token was valid once."""
NOT_VERIFIED: Final = "Unauthenticated"
"""Signature, key or claims are wrong."""
DISCOVERY_FAILED: Final = "AuthProviderDiscoveryFailed"
"""The keys of the issuer cannot be had at the moment."""

SAFE_MESSAGES: Final = {
    MALFORMED: "Could not parse JWT payload: a valid JWT has three base64-encoded parts separated by dots",
    NO_PROVIDER: "No auth provider found matching the given token",
    EXPIRED: "Token expired",
    NOT_VERIFIED: "Could not verify the token",
    DISCOVERY_FAILED: "Auth provider discovery failed: the keys of the token's issuer could not be fetched",
}
CUSTOM_MESSAGES: Final = {
    **SAFE_MESSAGES,
    EXPIRED: "Could not validate token",
    NOT_VERIFIED: "Could not decode token",
    DISCOVERY_FAILED: "Could not load the JWKS of the token's issuer: check that its URL is accessible",
}
"""What the official backend says of custom JWTs."""
SHOWN_CHARS_MAX = 100


class TokenRefused(AuthError):
    """The token of an end user is not valid.

    `message` may be sent to the client. `reason` says in full what is wrong, for the log of the server; neither holds
    the token or a key.
    """

    def __init__(self, code: str, reason: str, *, message: str | None = None) -> None:
        super().__init__(message or SAFE_MESSAGES[code], code=code)
        self.reason = reason

    def in_full(self) -> TokenRefused:
        """Return the refusal as a developer's own clients see it: the reason in the message."""
        return TokenRefused(self.code, self.reason, message=f"{self.message}: {self.reason}")

    def of_custom_jwt(self) -> TokenRefused:
        """Return the refusal under the one code that the official backend has for custom JWTs, whatever is wrong."""
        return TokenRefused(MALFORMED, self.reason, message=CUSTOM_MESSAGES[self.code])


def shown(text: object) -> str:
    """Return what a token says of itself, quoted for a reason: escaped, and of bounded length."""
    quoted = repr(text)
    return quoted if len(quoted) <= SHOWN_CHARS_MAX else quoted[:SHOWN_CHARS_MAX] + "…"
