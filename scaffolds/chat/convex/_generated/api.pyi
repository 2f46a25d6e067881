"""Written by `convexpy codegen` from the functions of the app. Do not edit.

Signatures first, under names that clash with nothing; then the trees that `api` and `internal` are.
"""

from convexpy import MutationReference, PaginationOptions, PaginationResult, QueryReference

from .data_model import ChannelsDoc, ChannelsId, MessagesDoc, MessagesId, UsersId

# channels

@QueryReference
def _channels_list() -> list[ChannelsDoc]: ...
@MutationReference
def _channels_create(*, name: str, topic: str | None = ...) -> ChannelsId: ...

# messages

@QueryReference
def _messages_list(*, channel: str, limit: int = ...) -> list[MessagesDoc]: ...
@QueryReference
def _messages_page(
    *, channelId: ChannelsId, paginationOpts: PaginationOptions
) -> PaginationResult[MessagesDoc]: ...
@MutationReference
def _messages_send(*, channel: str, author: str, body: str) -> MessagesId: ...

# users

@MutationReference
def _users_enter(*, name: str) -> UsersId: ...
@MutationReference
def _users_mark_away() -> None: ...
@QueryReference
def _users_recent() -> list[str]: ...

# api

class _Api_channels:
    list = _channels_list
    create = _channels_create

class _Api_messages:
    list = _messages_list
    page = _messages_page
    send = _messages_send

class _Api_users:
    enter = _users_enter
    recent = _users_recent

class _Api:
    channels: _Api_channels
    messages: _Api_messages
    users: _Api_users

api: _Api

# internal

class _Internal_users:
    mark_away = _users_mark_away

class _Internal:
    users: _Internal_users

internal: _Internal
