"""Written by `convexpy codegen` from the functions of the app. Do not edit.

Signatures first, under names that clash with nothing; then the trees that `api` and `internal` are.
"""

from convexpy import MutationReference, PaginationOptions, PaginationResult, QueryReference

from .data_model import ChannelsDoc, ChannelsId, MessagesDoc, MessagesId, UsersId

# channels

@QueryReference
def _channels_list() -> list[ChannelsDoc]: ...
@MutationReference
def _channels_create(*, name: str, author: str | None = ...) -> ChannelsId: ...

# messages

@QueryReference
def _messages_page(
    *, channelId: ChannelsId, paginationOpts: PaginationOptions
) -> PaginationResult[MessagesDoc]: ...
@MutationReference
def _messages_send(*, channelId: ChannelsId, body: str, author: str | None = ...) -> MessagesId: ...
@MutationReference
def _messages_post(*, channel: str, author: str, body: str) -> MessagesId: ...

# users

@MutationReference
def _users_enter(*, author: str | None = ...) -> UsersId: ...
@MutationReference
def _users_leave(*, author: str | None = ...) -> None: ...
@QueryReference
def _users_me(*, author: str | None = ...) -> str | None: ...
@MutationReference
def _users_mark_away() -> None: ...
@QueryReference
def _users_recent() -> list[str]: ...

# api

class _Api_channels:
    list = _channels_list
    create = _channels_create

class _Api_messages:
    page = _messages_page
    send = _messages_send

class _Api_users:
    enter = _users_enter
    leave = _users_leave
    me = _users_me
    recent = _users_recent

class _Api:
    channels: _Api_channels
    messages: _Api_messages
    users: _Api_users

api: _Api

# internal

class _Internal_messages:
    post = _messages_post

class _Internal_users:
    mark_away = _users_mark_away

class _Internal:
    messages: _Internal_messages
    users: _Internal_users

internal: _Internal
