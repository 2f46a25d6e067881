"""Written by `convexpy codegen` from the functions of the app. Do not edit.

Signatures first, under names that clash with nothing; then the trees that `api` and `internal` are.
"""

from typing import Any, Literal

from typing_extensions import NotRequired, TypedDict

from convexpy import ActionReference, MutationReference, QueryReference

from .data_model import NotesDoc, NotesId

# auth: `NewSession`, `Started`, `ClaimedFlow`, `ProviderInfo`, `SessionInfo`, `AccountInfo`, `BeginCode`, `BegunCode`, `PasswordAttempt`, `Caller` are classes of the app, spelled out as what arrives through `api`

class _AuthAuthRedeemFlowArgsSession(TypedDict):
    family_digest: str
    token_digest: str
    user_agent: NotRequired[str]

class _AuthAuthRedeemFlowResult(TypedDict):
    user_id: str
    session_id: str

class _AuthAuthClaimFlowResult(TypedDict):
    provider: str
    redirect_to: str

# Call syntax, since a field is called `id`.
_AuthProvidersResult = TypedDict("_AuthProvidersResult", {"id": str, "kind": str, "name": str})

# Call syntax, since a field is called `id`.
_AuthSessionsResult = TypedDict("_AuthSessionsResult", {
    "id": str,
    "isCurrent": bool,
    "startedTime": float,
    "usedTime": float,
    "userAgent": str,
})

class _AuthAccountsResult(TypedDict):
    provider: str
    name: str
    isVerified: bool

class _AuthAuthFinishPasswordArgsSession(TypedDict):
    family_digest: str
    token_digest: str
    user_agent: NotRequired[str]

class _AuthAuthFinishPasswordResult(TypedDict):
    user_id: str
    session_id: str

class _AuthAuthSignUpArgsSession(TypedDict):
    family_digest: str
    token_digest: str
    user_agent: NotRequired[str]

class _AuthAuthSignUpResult(TypedDict):
    user_id: str
    session_id: str

class _AuthAuthRedeemArgsSession(TypedDict):
    family_digest: str
    token_digest: str
    user_agent: NotRequired[str]

class _AuthAuthRedeemResult(TypedDict):
    user_id: str
    session_id: str

class _AuthAuthRedeemLinkArgsSession(TypedDict):
    family_digest: str
    token_digest: str
    user_agent: NotRequired[str]

class _AuthAuthRedeemLinkResult(TypedDict):
    user_id: str
    session_id: str

class _AuthAuthBeginCodeArgsCode(TypedDict):
    kind: Literal["verify", "reset", "sign-in", "link", "change-email"]
    email: str
    digest: str
    lifetime_ms: float
    pending: NotRequired[dict[str, Any]]

class _AuthAuthBeginCodeResult(TypedDict):
    stored: bool
    retry_at: float | None

class _AuthAuthBeginPasswordResult(TypedDict):
    retry_at: float | None
    secret: str | None
    is_verified: bool

class _AuthAuthCallerResult(TypedDict):
    user_id: str
    session_id: str
    started_at: float
    email: str | None

@ActionReference
def _auth_signIn(
    *, provider: str | None = ..., params: dict[str, Any] | None = ..., verifier: str | None = ...,
    refreshToken: str | None = ..., calledBy: str | None = ...,
) -> dict[str, Any]: ...
@ActionReference
def _auth_signOut() -> None: ...
@MutationReference
def _auth_authRedeemFlow(
    *, code: str, verifier: str, session: _AuthAuthRedeemFlowArgsSession
) -> _AuthAuthRedeemFlowResult | None: ...
@MutationReference
def _auth_authBeginFlow(*, provider: str, verifier: str, redirectTo: str, link: bool) -> str: ...
@MutationReference
def _auth_authStartFlow(*, flow: str, browser: str) -> str | None: ...
@MutationReference
def _auth_authClaimFlow(*, flow: str, browser: str) -> _AuthAuthClaimFlowResult | None: ...
@MutationReference
def _auth_authFinishFlow(*, flow: str, code: str, profile: dict[str, Any]) -> None: ...
@QueryReference
def _auth_providers() -> list[_AuthProvidersResult]: ...
@ActionReference
def _auth_changePassword(*, currentPassword: str, newPassword: str) -> None: ...
@ActionReference
def _auth_changeEmail(
    *, email: str, currentPassword: str | None = ..., code: str | None = ...
) -> dict[str, Any]: ...
@ActionReference
def _auth_deleteAccount(*, currentPassword: str | None = ...) -> None: ...
@MutationReference
def _auth_authDeleteUser() -> None: ...
@QueryReference
def _auth_sessions() -> list[_AuthSessionsResult]: ...
@QueryReference
def _auth_accounts() -> list[_AuthAccountsResult]: ...
@MutationReference
def _auth_endSession(*, sessionId: str) -> None: ...
@MutationReference
def _auth_signOutEverywhere(*, keepCurrent: bool = ...) -> None: ...
@MutationReference
def _auth_unlinkAccount(*, provider: str) -> None: ...
@MutationReference
def _auth_authRotate(*, session_id: str, family: str, token: str, successor: str) -> str | None: ...
@MutationReference
def _auth_authFinishPassword(
    *, email: str, secret: str, session: _AuthAuthFinishPasswordArgsSession,
    better: str | None = ...,
) -> _AuthAuthFinishPasswordResult | None: ...
@MutationReference
def _auth_authSignUp(
    *, email: str, secret: str, session: _AuthAuthSignUpArgsSession, name: str = ...
) -> _AuthAuthSignUpResult | None: ...
@MutationReference
def _auth_authRedeem(
    *, kind: str, email: str, digest: str, session: _AuthAuthRedeemArgsSession, secret: str = ...,
    attempt: str = ...,
) -> _AuthAuthRedeemResult | None: ...
@MutationReference
def _auth_authRedeemLink(
    *, digest: str, session: _AuthAuthRedeemLinkArgsSession
) -> _AuthAuthRedeemLinkResult | None: ...
@MutationReference
def _auth_authBeginCode(*, code: _AuthAuthBeginCodeArgsCode) -> _AuthAuthBeginCodeResult: ...
@MutationReference
def _auth_authBeginPassword(*, email: str) -> _AuthAuthBeginPasswordResult: ...
@MutationReference
def _auth_authChangePassword(*, email: str, known: str, secret: str) -> bool: ...
@MutationReference
def _auth_authChangeEmail(*, email: str, digest: str) -> str | None: ...
@QueryReference
def _auth_authCaller() -> _AuthAuthCallerResult | None: ...
@MutationReference
def _auth_authEndSession() -> None: ...

# notes

@QueryReference
def _notes_list() -> list[NotesDoc]: ...
@MutationReference
def _notes_add(*, text: str) -> NotesId: ...
@MutationReference
def _notes_remove(*, noteId: NotesId) -> None: ...

# users: `Me` is a class of the app, spelled out as what arrives through `api`

class _UsersMeResult(TypedDict):
    name: str | None
    email: str | None

@QueryReference
def _users_me() -> _UsersMeResult | None: ...

# api

class _Api_auth:
    signIn = _auth_signIn
    signOut = _auth_signOut
    providers = _auth_providers
    changePassword = _auth_changePassword
    changeEmail = _auth_changeEmail
    deleteAccount = _auth_deleteAccount
    sessions = _auth_sessions
    accounts = _auth_accounts
    endSession = _auth_endSession
    signOutEverywhere = _auth_signOutEverywhere
    unlinkAccount = _auth_unlinkAccount

class _Api_notes:
    list = _notes_list
    add = _notes_add
    remove = _notes_remove

class _Api_users:
    me = _users_me

class _Api:
    auth: _Api_auth
    notes: _Api_notes
    users: _Api_users

api: _Api

# internal

class _Internal_auth:
    authRedeemFlow = _auth_authRedeemFlow
    authBeginFlow = _auth_authBeginFlow
    authStartFlow = _auth_authStartFlow
    authClaimFlow = _auth_authClaimFlow
    authFinishFlow = _auth_authFinishFlow
    authDeleteUser = _auth_authDeleteUser
    authRotate = _auth_authRotate
    authFinishPassword = _auth_authFinishPassword
    authSignUp = _auth_authSignUp
    authRedeem = _auth_authRedeem
    authRedeemLink = _auth_authRedeemLink
    authBeginCode = _auth_authBeginCode
    authBeginPassword = _auth_authBeginPassword
    authChangePassword = _auth_authChangePassword
    authChangeEmail = _auth_authChangeEmail
    authCaller = _auth_authCaller
    authEndSession = _auth_authEndSession

class _Internal:
    auth: _Internal_auth

internal: _Internal
