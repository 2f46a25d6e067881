"""The identity of the caller."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any


class UserIdentity(Mapping[str, Any]):
    """The caller.

    A mapping with Convex's keys (`tokenIdentifier`) and every custom claim; an absent claim is absent in the
    mapping and None as an attribute.
    """

    __slots__ = ("_claims",)

    def __init__(self, claims: Mapping[str, Any]) -> None:
        self._claims = MappingProxyType(dict(claims))

    def __getitem__(self, claim: str, /) -> Any:
        return self._claims[claim]

    def __iter__(self) -> Iterator[str]:
        return iter(self._claims)

    def __len__(self) -> int:
        return len(self._claims)

    def __repr__(self) -> str:
        return f"UserIdentity({dict(self._claims)!r})"

    def _text(self, claim: str) -> str | None:
        found = self._claims.get(claim)
        return None if found is None else str(found)

    def _flag(self, claim: str) -> bool | None:
        found = self._claims.get(claim)
        return None if found is None else bool(found)

    @property
    def token_identifier(self) -> str:
        """Issuer and subject in one: unique among all callers."""
        return str(self._claims["tokenIdentifier"])

    @property
    def subject(self) -> str:
        """The caller, as the issuer knows it."""
        return str(self._claims["subject"])

    @property
    def issuer(self) -> str:
        """Who says so."""
        return str(self._claims["issuer"])

    @property
    def name(self) -> str | None:
        """The full name."""
        return self._text("name")

    @property
    def given_name(self) -> str | None:
        """The given name."""
        return self._text("givenName")

    @property
    def family_name(self) -> str | None:
        """The family name."""
        return self._text("familyName")

    @property
    def nickname(self) -> str | None:
        """The nickname."""
        return self._text("nickname")

    @property
    def preferred_username(self) -> str | None:
        """The preferred user name."""
        return self._text("preferredUsername")

    @property
    def profile_url(self) -> str | None:
        """Where the profile is."""
        return self._text("profileUrl")

    @property
    def picture_url(self) -> str | None:
        """Where a picture is."""
        return self._text("pictureUrl")

    @property
    def email(self) -> str | None:
        """The e-mail address."""
        return self._text("email")

    @property
    def email_verified(self) -> bool | None:
        """Whether the issuer verified the e-mail address."""
        return self._flag("emailVerified")

    @property
    def gender(self) -> str | None:
        """The gender."""
        return self._text("gender")

    @property
    def birthday(self) -> str | None:
        """The birthday."""
        return self._text("birthday")

    @property
    def timezone(self) -> str | None:
        """The time zone."""
        return self._text("timezone")

    @property
    def language(self) -> str | None:
        """The language."""
        return self._text("language")

    @property
    def phone_number(self) -> str | None:
        """The phone number."""
        return self._text("phoneNumber")

    @property
    def phone_number_verified(self) -> bool | None:
        """Whether the issuer verified the phone number."""
        return self._flag("phoneNumberVerified")

    @property
    def address(self) -> str | None:
        """The postal address."""
        return self._text("address")

    @property
    def updated_at(self) -> str | None:
        """When the profile was changed."""
        return self._text("updatedAt")
