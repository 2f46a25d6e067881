"""The tables of sign-in. `users` is the app's own; what the others hold is of no use to whoever reads it: digests only."""

from __future__ import annotations

from collections.abc import Mapping

from convexpy.schema import TableDefinition, define_table
from convexpy.values import Validator, v

USERS = "users"
SESSIONS = "authSessions"
ACCOUNTS = "authAccounts"
CODES = "authCodes"
FLOWS = "authFlows"
LIMITS = "authRateLimits"

user_fields: Mapping[str, Validator] = {
    "name": v.optional(v.string()),
    "image": v.optional(v.string()),
    "email": v.optional(v.string()),
    "emailVerificationTime": v.optional(v.number()),
}
"""The fields of a user that sign-in sets: `define_table({**user_fields, "role": v.optional(v.string())})`."""

auth_tables: Mapping[str, TableDefinition] = {
    USERS: define_table(user_fields),
    SESSIONS: define_table(
        {
            "userId": v.id(USERS),
            "familyDigest": v.string(),
            "current": v.array(v.string()),
            "previous": v.array(v.string()),
            "rotatedTime": v.number(),
            "idleExpirationTime": v.number(),
            "expirationTime": v.number(),
            "userAgent": v.optional(v.string()),
        }
    )
    .index("by_user", ["userId"])
    .index("by_expiration", ["expirationTime"]),
    ACCOUNTS: define_table(
        {
            "userId": v.id(USERS),
            "provider": v.string(),
            "providerAccountId": v.string(),
            "secret": v.optional(v.string()),
            "emailVerified": v.optional(v.string()),
        }
    )
    .index("by_provider", ["provider", "providerAccountId"])
    .index("by_user", ["userId"])
    .index("by_verified_email", ["emailVerified"]),
    CODES: define_table(
        {
            "kind": v.string(),
            "email": v.string(),
            "digest": v.string(),
            "attempts": v.number(),
            "expirationTime": v.number(),
            "pending": v.any(),
        }
    )
    .index("by_kind", ["kind", "email"])
    .index("by_digest", ["digest"])
    .index("by_expiration", ["expirationTime"]),
    FLOWS: define_table(
        {
            "provider": v.string(),
            "verifierDigest": v.string(),
            "redirectTo": v.string(),
            "userId": v.optional(v.id(USERS)),
            "browserDigest": v.optional(v.string()),
            "codeDigest": v.optional(v.string()),
            "profile": v.optional(v.any()),
            "expirationTime": v.number(),
        }
    )
    .index("by_code", ["codeDigest"])
    .index("by_expiration", ["expirationTime"]),
    LIMITS: define_table(
        {"key": v.string(), "attempts": v.number(), "nextTime": v.number(), "lastTime": v.number()}
    )
    .index("by_key", ["key"])
    .index("by_last_time", ["lastTime"]),
}
"""For the schema: `define_schema({**auth_tables, "users": …, …})`; an app's own `users` takes the place of the one here."""
