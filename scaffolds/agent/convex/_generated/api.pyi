"""Written by `convexpy codegen` from the functions of the app. Do not edit.

Signatures first, under names that clash with nothing; then the trees that `api` and `internal` are.
"""

from typing import Any, Literal

from convexpy import (
    ActionReference,
    MutationReference,
    PaginationOptions,
    PaginationResult,
    QueryReference,
    StorageId,
)

from .data_model import (
    ArtifactsId,
    MessagesDoc,
    MessagesId,
    SessionsDoc,
    SessionsId,
    StepsDoc,
    StepsId,
    UsersDoc,
    UsersId,
    WorkspacesId,
)

# agent

@ActionReference
def _agent_run(*, sessionId: SessionsId, prompt: str) -> dict[str, Any]: ...
@ActionReference
def _agent_run_later(*, sessionId: SessionsId, prompt: str) -> None: ...

# artifacts

@QueryReference
def _artifacts_list(*, sessionId: SessionsId) -> list[dict[str, Any]]: ...
@MutationReference
def _artifacts_upload_url(*, sessionId: SessionsId) -> str: ...
@MutationReference
def _artifacts_save(
    *, sessionId: SessionsId, storageId: StorageId, filename: str
) -> ArtifactsId: ...
@MutationReference
def _artifacts_remove(*, artifactId: ArtifactsId) -> None: ...
@MutationReference
def _artifacts_keep(
    *, sessionId: SessionsId, storageId: StorageId, filename: str
) -> ArtifactsId: ...
@MutationReference
def _artifacts_checkpoint(*, sessionId: SessionsId, storageId: StorageId) -> int: ...
@QueryReference
def _artifacts_newest_checkpoint(*, sessionId: SessionsId) -> StorageId | None: ...

# maintenance

@MutationReference
def _maintenance_check_session(*, sessionId: SessionsId) -> None: ...
@MutationReference
def _maintenance_end_hung_sessions() -> int: ...
@MutationReference
def _maintenance_delete_old_sessions() -> int: ...
@MutationReference
def _maintenance_daily_report() -> None: ...
@MutationReference
def _maintenance_health() -> None: ...

# messages

@QueryReference
def _messages_page(
    *, sessionId: SessionsId, paginationOpts: PaginationOptions
) -> PaginationResult[MessagesDoc]: ...
@QueryReference
def _messages_for_agent(*, sessionId: SessionsId) -> list[dict[str, str]]: ...

# sessions

@QueryReference
def _sessions_list(*, workspaceId: WorkspacesId) -> list[SessionsDoc]: ...
@QueryReference
def _sessions_get(*, sessionId: SessionsId) -> SessionsDoc | None: ...
@MutationReference
def _sessions_create(*, workspaceId: WorkspacesId, name: str) -> SessionsId: ...
@QueryReference
def _sessions_for_agent(*, sessionId: SessionsId) -> SessionsDoc | None: ...
@MutationReference
def _sessions_begin(*, sessionId: SessionsId, prompt: str) -> None: ...
@MutationReference
def _sessions_finish(
    *, sessionId: SessionsId, status: Literal["completed", "failed"], result: str = ...,
    error: str | None = ...,
) -> bool: ...

# steps

@QueryReference
def _steps_list(*, sessionId: SessionsId) -> list[StepsDoc]: ...
@MutationReference
def _steps_begin(*, sessionId: SessionsId, title: str, detail: str) -> StepsId: ...
@MutationReference
def _steps_end(*, stepId: StepsId, state: Literal["done", "failed"], output: str) -> None: ...
@MutationReference
def _steps_say(
    *, sessionId: SessionsId, content: str, messageId: MessagesId | None = ...
) -> MessagesId | None: ...
@MutationReference
def _steps_interrupt(*, sessionId: SessionsId) -> None: ...

# users

@MutationReference
def _users_enter() -> UsersId: ...
@QueryReference
def _users_me() -> UsersDoc | None: ...
@MutationReference
def _users_save(*, tokenIdentifier: str, name: str, email: str | None = ...) -> UsersId: ...

# workspaces

@MutationReference
def _workspaces_create(*, name: str) -> WorkspacesId: ...
@QueryReference
def _workspaces_list() -> list[dict[str, Any]]: ...
@MutationReference
def _workspaces_set_role(
    *, workspaceId: WorkspacesId, userId: UsersId, role: Literal["owner", "admin", "member"] | None
) -> None: ...

# api

class _Api_agent:
    run = _agent_run

class _Api_artifacts:
    list = _artifacts_list
    upload_url = _artifacts_upload_url
    save = _artifacts_save
    remove = _artifacts_remove

class _Api_messages:
    page = _messages_page

class _Api_sessions:
    list = _sessions_list
    get = _sessions_get
    create = _sessions_create

class _Api_steps:
    list = _steps_list

class _Api_users:
    enter = _users_enter
    me = _users_me

class _Api_workspaces:
    create = _workspaces_create
    list = _workspaces_list
    set_role = _workspaces_set_role

class _Api:
    agent: _Api_agent
    artifacts: _Api_artifacts
    messages: _Api_messages
    sessions: _Api_sessions
    steps: _Api_steps
    users: _Api_users
    workspaces: _Api_workspaces

api: _Api

# internal

class _Internal_agent:
    run_later = _agent_run_later

class _Internal_artifacts:
    keep = _artifacts_keep
    checkpoint = _artifacts_checkpoint
    newest_checkpoint = _artifacts_newest_checkpoint

class _Internal_maintenance:
    check_session = _maintenance_check_session
    end_hung_sessions = _maintenance_end_hung_sessions
    delete_old_sessions = _maintenance_delete_old_sessions
    daily_report = _maintenance_daily_report
    health = _maintenance_health

class _Internal_messages:
    for_agent = _messages_for_agent

class _Internal_sessions:
    for_agent = _sessions_for_agent
    begin = _sessions_begin
    finish = _sessions_finish

class _Internal_steps:
    begin = _steps_begin
    end = _steps_end
    say = _steps_say
    interrupt = _steps_interrupt

class _Internal_users:
    save = _users_save

class _Internal:
    agent: _Internal_agent
    artifacts: _Internal_artifacts
    maintenance: _Internal_maintenance
    messages: _Internal_messages
    sessions: _Internal_sessions
    steps: _Internal_steps
    users: _Internal_users

internal: _Internal
