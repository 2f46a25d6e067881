"""The identity of the caller."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class _Claim(Generic[T]):
    """An attribute of a `UserIdentity`: a claim of this type, or None."""

    def __init__(self, kind: Callable[[Any], T], claim: str) -> None:
        self._kind = kind
        self._claim = claim

    def __get__(self, identity: UserIdentity, owner: Any) -> T | None:
        found = identity.get(self._claim)
        return None if found is None else self._kind(found)


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

    name: _Claim[str] = _Claim(str, "name")
    """The full name."""
    given_name: _Claim[str] = _Claim(str, "givenName")
    """The given name."""
    family_name: _Claim[str] = _Claim(str, "familyName")
    """The family name."""
    nickname: _Claim[str] = _Claim(str, "nickname")
    """The nickname."""
    preferred_username: _Claim[str] = _Claim(str, "preferredUsername")
    """The preferred user name."""
    profile_url: _Claim[str] = _Claim(str, "profileUrl")
    """Where the profile is."""
    picture_url: _Claim[str] = _Claim(str, "pictureUrl")
    """Where a picture is."""
    email: _Claim[str] = _Claim(str, "email")
    """The e-mail address."""
    email_verified: _Claim[bool] = _Claim(bool, "emailVerified")
    """Whether the issuer verified the e-mail address."""
    gender: _Claim[str] = _Claim(str, "gender")
    """The gender."""
    birthday: _Claim[str] = _Claim(str, "birthday")
    """The birthday."""
    timezone: _Claim[str] = _Claim(str, "timezone")
    """The time zone."""
    language: _Claim[str] = _Claim(str, "language")
    """The language."""
    phone_number: _Claim[str] = _Claim(str, "phoneNumber")
    """The phone number."""
    phone_number_verified: _Claim[bool] = _Claim(bool, "phoneNumberVerified")
    """Whether the issuer verified the phone number."""
    address: _Claim[str] = _Claim(str, "address")
    """The postal address."""
    updated_at: _Claim[str] = _Claim(str, "updatedAt")
    """When the profile was changed."""
