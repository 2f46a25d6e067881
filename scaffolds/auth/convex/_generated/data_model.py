"""Written by `convexpy codegen` from schema.py. Do not edit."""

from typing import Any, NewType

from typing_extensions import NotRequired, TypedDict

UsersId = NewType("UsersId", str)
AuthSessionsId = NewType("AuthSessionsId", str)
AuthAccountsId = NewType("AuthAccountsId", str)
AuthCodesId = NewType("AuthCodesId", str)
AuthFlowsId = NewType("AuthFlowsId", str)
AuthRateLimitsId = NewType("AuthRateLimitsId", str)
NotesId = NewType("NotesId", str)

# Read by convexpy, where an annotation names an id.
ID_TABLES: dict[str, str] = {
    "UsersId": "users",
    "AuthSessionsId": "authSessions",
    "AuthAccountsId": "authAccounts",
    "AuthCodesId": "authCodes",
    "AuthFlowsId": "authFlows",
    "AuthRateLimitsId": "authRateLimits",
    "NotesId": "notes",
}


# users

class UsersFields(TypedDict):
    name: NotRequired[str]
    image: NotRequired[str]
    email: NotRequired[str]
    emailVerificationTime: NotRequired[float]


class UsersDoc(UsersFields):
    _id: UsersId
    _creationTime: float


class UsersPatch(TypedDict, total=False):
    name: str
    image: str
    email: str
    emailVerificationTime: float


# authSessions

class AuthSessionsFields(TypedDict):
    userId: UsersId
    familyDigest: str
    current: list[str]
    previous: list[str]
    rotatedTime: float
    idleExpirationTime: float
    expirationTime: float
    userAgent: NotRequired[str]


class AuthSessionsDoc(AuthSessionsFields):
    _id: AuthSessionsId
    _creationTime: float


class AuthSessionsPatch(TypedDict, total=False):
    userId: UsersId
    familyDigest: str
    current: list[str]
    previous: list[str]
    rotatedTime: float
    idleExpirationTime: float
    expirationTime: float
    userAgent: str


# authAccounts

class AuthAccountsFields(TypedDict):
    userId: UsersId
    provider: str
    providerAccountId: str
    secret: NotRequired[str]
    emailVerified: NotRequired[str]


class AuthAccountsDoc(AuthAccountsFields):
    _id: AuthAccountsId
    _creationTime: float


class AuthAccountsPatch(TypedDict, total=False):
    userId: UsersId
    provider: str
    providerAccountId: str
    secret: str
    emailVerified: str


# authCodes

class AuthCodesFields(TypedDict):
    kind: str
    email: str
    digest: str
    attempts: float
    expirationTime: float
    pending: Any


class AuthCodesDoc(AuthCodesFields):
    _id: AuthCodesId
    _creationTime: float


class AuthCodesPatch(TypedDict, total=False):
    kind: str
    email: str
    digest: str
    attempts: float
    expirationTime: float
    pending: Any


# authFlows

class AuthFlowsFields(TypedDict):
    provider: str
    verifierDigest: str
    redirectTo: str
    userId: NotRequired[UsersId]
    browserDigest: NotRequired[str]
    codeDigest: NotRequired[str]
    profile: NotRequired[Any]
    expirationTime: float


class AuthFlowsDoc(AuthFlowsFields):
    _id: AuthFlowsId
    _creationTime: float


class AuthFlowsPatch(TypedDict, total=False):
    provider: str
    verifierDigest: str
    redirectTo: str
    userId: UsersId
    browserDigest: str
    codeDigest: str
    profile: Any
    expirationTime: float


# authRateLimits

class AuthRateLimitsFields(TypedDict):
    key: str
    attempts: float
    nextTime: float
    lastTime: float


class AuthRateLimitsDoc(AuthRateLimitsFields):
    _id: AuthRateLimitsId
    _creationTime: float


class AuthRateLimitsPatch(TypedDict, total=False):
    key: str
    attempts: float
    nextTime: float
    lastTime: float


# notes

class NotesFields(TypedDict):
    userId: UsersId
    text: str


class NotesDoc(NotesFields):
    _id: NotesId
    _creationTime: float


class NotesPatch(TypedDict, total=False):
    userId: UsersId
    text: str
