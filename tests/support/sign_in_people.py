"""People who sign in to an app under test, over the in-memory deployment."""

from __future__ import annotations

from typing import Any

import jwt
import pytest

from convexpy import ConvexError
from convexpy.testing._client import LocalTest
from convexpy.testing._surface import ConvexTest

GOOD = "correct horse battery"
OTHER = "another staple entirely"


class People:
    """Signs people in, and reads their mail."""

    def __init__(self, convex: ConvexTest) -> None:
        self.convex = convex

    def sign_in(self, provider: str | None = "password", **params: Any) -> dict[str, Any]:
        """Call `auth:signIn`; a person's tokens are `["tokens"]`."""
        arguments: dict[str, Any] = {"params": params}
        if provider is not None:
            arguments["provider"] = provider
        found: dict[str, Any] = self.convex.action("auth:signIn", arguments)
        return found

    def refused(self, provider: str | None = "password", **params: Any) -> dict[str, Any]:
        """Return what a refused sign-in tells."""
        with pytest.raises(ConvexError) as refused:
            self.sign_in(provider, **params)
        data: dict[str, Any] = refused.value.data
        return data

    def refresh(self, tokens: dict[str, str]) -> dict[str, str] | None:
        """Return new tokens for a refresh token, None if it is not good."""
        answer: dict[str, Any] = self.convex.action("auth:signIn", {"refreshToken": tokens["refreshToken"]})
        found: dict[str, str] | None = answer["tokens"]
        return found

    def sign_up(self, email: str, password: str = GOOD, **params: Any) -> dict[str, str]:
        """Sign up with a verified address; return the tokens."""
        answer = self.sign_in(flow="signUp", email=email, password=password, **params)
        if "tokens" not in answer:
            answer = self.sign_in(flow="email-verification", email=email, code=self.code(email))
        found: dict[str, str] = answer["tokens"]
        return found

    def mail(self, to: str) -> list[dict[str, Any]]:
        """Return the mail that was sent to an address, the oldest first."""
        everything = self.convex.run(lambda ctx: ctx.db.query("mail").collect())
        return [mail for mail in everything if mail["to"] == to]

    def code(self, to: str) -> str:
        """Return the code of the last mail."""
        return str(self.mail(to)[-1]["code"])

    def as_(self, tokens: dict[str, str]) -> ConvexTest:
        """The deployment, seen by whoever holds these tokens."""
        claims = jwt.decode(tokens["token"], options={"verify_signature": False})
        return self.convex.with_identity(subject=claims["sub"], issuer=claims["iss"], sid=claims["sid"])


def people_of(local: Any) -> People:
    """Return people of a deployment in memory."""
    return People(LocalTest(local))
