"""Authentication: holders of admin keys, and end users by the tokens of their issuers."""

from convexpy.access._access import (
    ANONYMOUS as ANONYMOUS,
    APP_ACCESS as APP_ACCESS,
    FULL_ACCESS as FULL_ACCESS,
    SERVER_ACCESS as SERVER_ACCESS,
    Access as Access,
    Caller as Caller,
    KeyKind as KeyKind,
    OperationNotPermitted as OperationNotPermitted,
    system_call as system_call,
)
from convexpy.access._keys import (
    AdminKeys as AdminKeys,
    InvalidKey as InvalidKey,
    KeyRecord as KeyRecord,
    ParsedKey as ParsedKey,
    complete_identity as complete_identity,
    create_hashed_key as create_hashed_key,
    create_instance_secret as create_instance_secret,
    shown_prefix as shown_prefix,
)
from convexpy.access._own_issuer import OwnIssuer as OwnIssuer, OwnKey as OwnKey
from convexpy.access._refusals import TokenRefused as TokenRefused
from convexpy.access._sealed_records import (
    NEW_KEYS_FOLDER as NEW_KEYS_FOLDER,
    leave_key as leave_key,
    open_record as open_record,
    seal_record as seal_record,
)
from convexpy.access._sealing import (
    KEY_VARIABLE as KEY_VARIABLE,
    SEALED as SEALED,
    Sealer as Sealer,
    SecretKeyError as SecretKeyError,
)
from convexpy.access._verifier import TokenVerifier as TokenVerifier, Verified as Verified
