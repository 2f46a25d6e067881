"""Accounts: the ways in which one user signs in, and which user an account belongs to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from convexpy.auth._sessions import end_sessions
from convexpy.auth._tables import ACCOUNTS, USERS
from convexpy.auth._texts import refuse
from convexpy.functions import MutationCtx, QueryCtx
from convexpy.values import UNSET, Document

PASSWORD = "password"
EMAIL = "email"

OnSignUp = Callable[[Any, dict[str, Any]], Mapping[str, Any] | None]
"""Gets the ctx of a mutation, of convexpy or generated, and the fields of a new user."""


class Profile(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who an account is, as a provider says. Only an address that it has verified may lead to another account."""

    account_id: str
    email: str = ""
    email_verified: bool = False
    name: str = ""
    image: str = ""

    @property
    def verified_email(self) -> str:
        """The address if it was verified, else an empty string."""
        return self.email if self.email_verified else ""


def find_account(ctx: QueryCtx, provider: str, account_id: str) -> Document | None:
    """Return an account of a provider."""
    found = ctx.db.query(ACCOUNTS).with_index("by_provider", provider=provider, providerAccountId=account_id)
    return found.unique()


def accounts_of(ctx: QueryCtx, user_id: str) -> list[Document]:
    """Return the accounts of a user, the oldest first."""
    return list(ctx.db.query(ACCOUNTS).with_index("by_user", userId=user_id).collect())


def user_by_email(ctx: QueryCtx, email: str) -> str | None:
    """Return the user who has proved to own an address, if any."""
    found = ctx.db.query(ACCOUNTS).with_index("by_verified_email", emailVerified=email).first()
    return None if found is None else str(found["userId"])


class Users:
    """Finds and makes the users of accounts. `on_sign_up` may refuse a new one by raising, or add fields."""

    def __init__(self, on_sign_up: OnSignUp | None) -> None:
        self._on_sign_up = on_sign_up

    def signed_in(
        self,
        ctx: MutationCtx,
        provider: str,
        profile: Profile,
        *,
        link_to: str | None = None,
        secret: str = "",
    ) -> str:
        """Return the user of an account, which is made if it is new.

        A new account belongs to `link_to`, else to the user who has verified the same address, else to a new user.

        Raises:
            ConvexError: `AccountLinkedElsewhere`, or what `on_sign_up` raises.
        """
        known = find_account(ctx, provider, profile.account_id)
        if known is not None:
            if link_to not in (None, known["userId"]):
                refuse("AccountLinkedElsewhere")
            if profile.verified_email and not known.get("emailVerified"):
                ctx.db.patch(known["_id"], {"emailVerified": profile.verified_email})
            return str(known["userId"])
        user_id = link_to or (user_by_email(ctx, profile.verified_email) if profile.verified_email else None)
        if user_id is None:
            user_id = self._create(ctx, profile)
        else:
            self._complete(ctx, user_id, profile)
        document = {"userId": user_id, "provider": provider, "providerAccountId": profile.account_id}
        if secret:
            document["secret"] = secret
        if profile.verified_email:
            document["emailVerified"] = profile.verified_email
        ctx.db.insert(ACCOUNTS, document)
        return user_id

    def _create(self, ctx: MutationCtx, profile: Profile) -> str:
        fields: dict[str, Any] = {"name": profile.name, "image": profile.image, "email": profile.email}
        fields = {name: field for name, field in fields.items() if field}
        if profile.verified_email:
            fields["emailVerificationTime"] = ctx.now()
        added = None if self._on_sign_up is None else self._on_sign_up(ctx, dict(fields))
        return ctx.db.insert(USERS, {**fields, **(added or {})})

    def _complete(self, ctx: MutationCtx, user_id: str, profile: Profile) -> None:
        """Add what was not known of a user."""
        user = ctx.db.get(user_id) or {}
        known: dict[str, Any] = {"name": profile.name, "image": profile.image}
        if profile.verified_email and user.get("email", profile.email) == profile.email:
            known |= {"email": profile.email, "emailVerificationTime": ctx.now()}
        changes = {name: field for name, field in known.items() if field and not user.get(name)}
        if changes:
            ctx.db.patch(user_id, changes)


def change_email(ctx: MutationCtx, user_id: str, email: str) -> None:
    """Give a user a new address that was verified; accounts that are the old address become the new one.

    Others are kept, but no longer make whoever gets the old address this user.
    """
    ctx.db.patch(user_id, {"email": email, "emailVerificationTime": ctx.now()})
    for account in accounts_of(ctx, user_id):
        is_address = account["provider"] in (PASSWORD, EMAIL)
        changes = (
            {"providerAccountId": email, "emailVerified": email} if is_address else {"emailVerified": UNSET}
        )
        ctx.db.patch(account["_id"], changes)


def set_password(ctx: MutationCtx, user_id: str, email: str, secret: str) -> None:
    """Give a user, who has just proved to own the address, a password.

    Where nobody had verified the address, somebody else may have signed up with it: then all other ways to this user are
    removed, and a password that led to another user is taken from that.
    """
    found = find_account(ctx, PASSWORD, email)
    known = {"userId": user_id, "secret": secret, "emailVerified": email}
    if found is None:
        ctx.db.insert(ACCOUNTS, {"provider": PASSWORD, "providerAccountId": email, **known})
        return
    if found["userId"] != user_id:
        end_sessions(ctx, found["userId"])
    elif found.get("emailVerified") is None:
        for other in accounts_of(ctx, user_id):
            if other["_id"] != found["_id"]:
                ctx.db.delete(other["_id"])
        ctx.db.patch(user_id, {"email": email, "emailVerificationTime": ctx.now()})
    ctx.db.patch(found["_id"], known)
