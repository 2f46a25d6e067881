"""Authentication: holders of admin keys, and end users by the tokens of their issuers."""

from convexpy.auth._access import (
    ANONYMOUS,
    APP_ACCESS,
    FULL_ACCESS,
    SERVER_ACCESS,
    Access,
    Caller,
    KeyKind,
    OperationNotPermitted,
    system_call,
)
from convexpy.auth._keys import (
    AdminKeys,
    InvalidKey,
    KeyRecord,
    ParsedKey,
    complete_identity,
    create_hashed_key,
    create_instance_secret,
    shown_prefix,
)
from convexpy.auth._refusals import TokenRefused
from convexpy.auth._sealed_records import open_record, seal_record
from convexpy.auth._verifier import TokenVerifier, Verified

__all__ = [
    "ANONYMOUS",
    "APP_ACCESS",
    "FULL_ACCESS",
    "SERVER_ACCESS",
    "Access",
    "AdminKeys",
    "Caller",
    "InvalidKey",
    "KeyKind",
    "KeyRecord",
    "OperationNotPermitted",
    "ParsedKey",
    "TokenRefused",
    "TokenVerifier",
    "Verified",
    "complete_identity",
    "create_hashed_key",
    "create_instance_secret",
    "open_record",
    "seal_record",
    "shown_prefix",
    "system_call",
]
