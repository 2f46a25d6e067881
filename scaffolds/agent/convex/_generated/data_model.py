"""Written by `convexpy codegen` from schema.py. Do not edit."""

from typing import Literal, NewType

from typing_extensions import NotRequired, TypedDict

from convexpy import StorageId

UsersId = NewType("UsersId", str)
WorkspacesId = NewType("WorkspacesId", str)
MembershipsId = NewType("MembershipsId", str)
SessionsId = NewType("SessionsId", str)
MessagesId = NewType("MessagesId", str)
StepsId = NewType("StepsId", str)
ArtifactsId = NewType("ArtifactsId", str)
CheckpointsId = NewType("CheckpointsId", str)
ReportsId = NewType("ReportsId", str)
HealthId = NewType("HealthId", str)
RateLimitsId = NewType("RateLimitsId", str)

# Read by convexpy, where an annotation names an id.
ID_TABLES: dict[str, str] = {
    "UsersId": "users",
    "WorkspacesId": "workspaces",
    "MembershipsId": "memberships",
    "SessionsId": "sessions",
    "MessagesId": "messages",
    "StepsId": "steps",
    "ArtifactsId": "artifacts",
    "CheckpointsId": "checkpoints",
    "ReportsId": "reports",
    "HealthId": "health",
    "RateLimitsId": "rateLimits",
}


# users

class UsersFields(TypedDict):
    tokenIdentifier: str
    name: str
    email: NotRequired[str]


class UsersDoc(UsersFields):
    _id: UsersId
    _creationTime: float


class UsersPatch(TypedDict, total=False):
    tokenIdentifier: str
    name: str
    email: str


# workspaces

class WorkspacesFields(TypedDict):
    name: str
    ownerId: UsersId


class WorkspacesDoc(WorkspacesFields):
    _id: WorkspacesId
    _creationTime: float


class WorkspacesPatch(TypedDict, total=False):
    name: str
    ownerId: UsersId


# memberships

class MembershipsFields(TypedDict):
    workspaceId: WorkspacesId
    userId: UsersId
    role: Literal["owner", "admin", "member"]


class MembershipsDoc(MembershipsFields):
    _id: MembershipsId
    _creationTime: float


class MembershipsPatch(TypedDict, total=False):
    workspaceId: WorkspacesId
    userId: UsersId
    role: Literal["owner", "admin", "member"]


# sessions

class SessionsFields(TypedDict):
    workspaceId: WorkspacesId
    createdBy: UsersId
    name: str
    status: Literal["pending", "running", "completed", "failed"]
    error: NotRequired[str]
    lastActiveAt: float


class SessionsDoc(SessionsFields):
    _id: SessionsId
    _creationTime: float


class SessionsPatch(TypedDict, total=False):
    workspaceId: WorkspacesId
    createdBy: UsersId
    name: str
    status: Literal["pending", "running", "completed", "failed"]
    error: str
    lastActiveAt: float


# messages

class MessagesFields(TypedDict):
    sessionId: SessionsId
    role: Literal["user", "assistant", "system"]
    content: str


class MessagesDoc(MessagesFields):
    _id: MessagesId
    _creationTime: float


class MessagesPatch(TypedDict, total=False):
    sessionId: SessionsId
    role: Literal["user", "assistant", "system"]
    content: str


# steps

class StepsFields(TypedDict):
    sessionId: SessionsId
    title: str
    detail: str
    output: NotRequired[str]
    state: Literal["running", "done", "failed"]


class StepsDoc(StepsFields):
    _id: StepsId
    _creationTime: float


class StepsPatch(TypedDict, total=False):
    sessionId: SessionsId
    title: str
    detail: str
    output: str
    state: Literal["running", "done", "failed"]


# artifacts

class ArtifactsFields(TypedDict):
    sessionId: SessionsId
    storageId: StorageId
    filename: str
    contentType: str
    size: float


class ArtifactsDoc(ArtifactsFields):
    _id: ArtifactsId
    _creationTime: float


class ArtifactsPatch(TypedDict, total=False):
    sessionId: SessionsId
    storageId: StorageId
    filename: str
    contentType: str
    size: float


# checkpoints

class CheckpointsFields(TypedDict):
    sessionId: SessionsId
    storageId: StorageId
    version: float


class CheckpointsDoc(CheckpointsFields):
    _id: CheckpointsId
    _creationTime: float


class CheckpointsPatch(TypedDict, total=False):
    sessionId: SessionsId
    storageId: StorageId
    version: float


# reports

class ReportsFields(TypedDict):
    day: str
    sessions: float
    failed: float


class ReportsDoc(ReportsFields):
    _id: ReportsId
    _creationTime: float


class ReportsPatch(TypedDict, total=False):
    day: str
    sessions: float
    failed: float


# health

class HealthFields(TypedDict):
    checkedAt: float
    running: float


class HealthDoc(HealthFields):
    _id: HealthId
    _creationTime: float


class HealthPatch(TypedDict, total=False):
    checkedAt: float
    running: float


# rateLimits

class RateLimitsFields(TypedDict):
    name: str
    key: str | None
    value: float
    ts: float


class RateLimitsDoc(RateLimitsFields):
    _id: RateLimitsId
    _creationTime: float


class RateLimitsPatch(TypedDict, total=False):
    name: str
    key: str | None
    value: float
    ts: float
