"""Written by `convexpy codegen` from schema.py. Do not edit.

The classes of convexpy, narrowed to the tables of this app. That they take less than their bases is meant: a helper that asks
for `convexpy.QueryCtx` gets these too, and loses only the check of names.
"""

# mypy: disable-error-code="override"
# pyright: reportIncompatibleMethodOverride=false

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, overload

from typing_extensions import Never, TypeAlias

import convexpy
from convexpy import (
    ActionDecorator,
    IndexRange,
    ModelInstance,
    MutationDecorator,
    Query,
    QueryDecorator,
    TableQuery,
)

from .data_model import (
    ChannelsDoc,
    ChannelsFields,
    ChannelsId,
    ChannelsPatch,
    MessagesDoc,
    MessagesFields,
    MessagesId,
    MessagesPatch,
    UsersDoc,
    UsersFields,
    UsersId,
    UsersPatch,
)

_Id: TypeAlias = UsersId | ChannelsId | MessagesId

# Queries: per index the equality form and the range form. Staged indexes are not here. The parameter is called `_index`, since a
# field may be called `name` or `index`, but none starts with `_`. Dotted and reserved field names, and `self`, are only in the range
# form. A table without search indexes gets `with_search_index(self) -> Never`.

class _UsersQuery(TableQuery[UsersDoc]):
    @overload
    def with_index(self, _index: Literal["by_id"], /, *, _id: UsersId = ...) -> Query[UsersDoc]: ...
    @overload
    def with_index(
        self, _index: Literal["by_id"], range: Callable[[IndexRange[Literal["_id"]]], IndexRange] | Mapping[str, Any], /
    ) -> Query[UsersDoc]: ...
    @overload
    def with_index(
        self, _index: Literal["by_creation_time"], /, *, _creationTime: float = ..., _id: UsersId = ...
    ) -> Query[UsersDoc]: ...
    @overload
    def with_index(
        self, _index: Literal["by_creation_time"],
        range: Callable[[IndexRange[Literal["_creationTime", "_id"]]], IndexRange] | Mapping[str, Any], /,
    ) -> Query[UsersDoc]: ...
    @overload
    def with_index(
        self, _index: Literal["by_name"], /, *, name: str = ..., _creationTime: float = ..., _id: UsersId = ...
    ) -> Query[UsersDoc]: ...
    @overload
    def with_index(
        self, _index: Literal["by_name"],
        range: Callable[[IndexRange[Literal["name", "_creationTime", "_id"]]], IndexRange] | Mapping[str, Any], /,
    ) -> Query[UsersDoc]: ...
    @overload
    def with_index(
        self, _index: Literal["by_here"], /, *,
        here: bool = ..., lastSeen: float = ...,
        _creationTime: float = ..., _id: UsersId = ...,
    ) -> Query[UsersDoc]: ...
    @overload
    def with_index(
        self, _index: Literal["by_here"],
        range: Callable[[IndexRange[Literal["here", "lastSeen", "_creationTime", "_id"]]], IndexRange] | Mapping[str, Any], /,
    ) -> Query[UsersDoc]: ...
    def with_search_index(self) -> Never: ...

class _ChannelsQuery(TableQuery[ChannelsDoc]):
    @overload
    def with_index(self, _index: Literal["by_id"], /, *, _id: ChannelsId = ...) -> Query[ChannelsDoc]: ...
    @overload
    def with_index(
        self, _index: Literal["by_id"], range: Callable[[IndexRange[Literal["_id"]]], IndexRange] | Mapping[str, Any], /
    ) -> Query[ChannelsDoc]: ...
    @overload
    def with_index(
        self, _index: Literal["by_creation_time"], /, *, _creationTime: float = ..., _id: ChannelsId = ...
    ) -> Query[ChannelsDoc]: ...
    @overload
    def with_index(
        self, _index: Literal["by_creation_time"],
        range: Callable[[IndexRange[Literal["_creationTime", "_id"]]], IndexRange] | Mapping[str, Any], /,
    ) -> Query[ChannelsDoc]: ...
    @overload
    def with_index(
        self, _index: Literal["by_name"], /, *, name: str = ..., _creationTime: float = ..., _id: ChannelsId = ...
    ) -> Query[ChannelsDoc]: ...
    @overload
    def with_index(
        self, _index: Literal["by_name"],
        range: Callable[[IndexRange[Literal["name", "_creationTime", "_id"]]], IndexRange] | Mapping[str, Any], /,
    ) -> Query[ChannelsDoc]: ...
    def with_search_index(self) -> Never: ...

class _MessagesQuery(TableQuery[MessagesDoc]):
    @overload
    def with_index(self, _index: Literal["by_id"], /, *, _id: MessagesId = ...) -> Query[MessagesDoc]: ...
    @overload
    def with_index(
        self, _index: Literal["by_id"], range: Callable[[IndexRange[Literal["_id"]]], IndexRange] | Mapping[str, Any], /
    ) -> Query[MessagesDoc]: ...
    @overload
    def with_index(
        self, _index: Literal["by_creation_time"], /, *, _creationTime: float = ..., _id: MessagesId = ...
    ) -> Query[MessagesDoc]: ...
    @overload
    def with_index(
        self, _index: Literal["by_creation_time"],
        range: Callable[[IndexRange[Literal["_creationTime", "_id"]]], IndexRange] | Mapping[str, Any], /,
    ) -> Query[MessagesDoc]: ...
    @overload
    def with_index(
        self, _index: Literal["by_channel"], /, *, channelId: ChannelsId = ..., _creationTime: float = ..., _id: MessagesId = ...
    ) -> Query[MessagesDoc]: ...
    @overload
    def with_index(
        self, _index: Literal["by_channel"],
        range: Callable[[IndexRange[Literal["channelId", "_creationTime", "_id"]]], IndexRange] | Mapping[str, Any], /,
    ) -> Query[MessagesDoc]: ...
    def with_search_index(self) -> Never: ...

# Database: one overload per table (with a single table no overload; with strict_table_names=False a last one for any `str`)

class DatabaseReader(convexpy.DatabaseReader):
    @overload
    def get(self, id: UsersId, /) -> UsersDoc | None: ...
    @overload
    def get(self, table: Literal["users"], id: UsersId, /) -> UsersDoc | None: ...
    @overload
    def get(self, id: ChannelsId, /) -> ChannelsDoc | None: ...
    @overload
    def get(self, table: Literal["channels"], id: ChannelsId, /) -> ChannelsDoc | None: ...
    @overload
    def get(self, id: MessagesId, /) -> MessagesDoc | None: ...
    @overload
    def get(self, table: Literal["messages"], id: MessagesId, /) -> MessagesDoc | None: ...
    @overload
    def get_many(self, ids: Iterable[UsersId], /) -> list[UsersDoc | None]: ...
    @overload
    def get_many(self, ids: Iterable[ChannelsId], /) -> list[ChannelsDoc | None]: ...
    @overload
    def get_many(self, ids: Iterable[MessagesId], /) -> list[MessagesDoc | None]: ...
    @overload
    def query(self, table: Literal["users"], /) -> _UsersQuery: ...
    @overload
    def query(self, table: Literal["channels"], /) -> _ChannelsQuery: ...
    @overload
    def query(self, table: Literal["messages"], /) -> _MessagesQuery: ...
    @overload
    def normalize_id(self, table: Literal["users"], text: str, /) -> UsersId | None: ...
    @overload
    def normalize_id(self, table: Literal["channels"], text: str, /) -> ChannelsId | None: ...
    @overload
    def normalize_id(self, table: Literal["messages"], text: str, /) -> MessagesId | None: ...

class DatabaseWriter(DatabaseReader, convexpy.DatabaseWriter):
    @overload
    def insert(self, table: Literal["users"], value: UsersFields | ModelInstance, /) -> UsersId: ...
    @overload
    def insert(self, table: Literal["channels"], value: ChannelsFields | ModelInstance, /) -> ChannelsId: ...
    @overload
    def insert(self, table: Literal["messages"], value: MessagesFields | ModelInstance, /) -> MessagesId: ...
    @overload
    def patch(self, id: UsersId, value: UsersPatch | UsersFields | ModelInstance, /) -> None: ...
    @overload
    def patch(self, table: Literal["users"], id: UsersId, value: UsersPatch | UsersFields | ModelInstance, /) -> None: ...
    @overload
    def patch(self, id: ChannelsId, value: ChannelsPatch | ChannelsFields | ModelInstance, /) -> None: ...
    @overload
    def patch(self, table: Literal["channels"], id: ChannelsId, value: ChannelsPatch | ChannelsFields | ModelInstance, /) -> None: ...
    @overload
    def patch(self, id: MessagesId, value: MessagesPatch | MessagesFields | ModelInstance, /) -> None: ...
    @overload
    def patch(self, table: Literal["messages"], id: MessagesId, value: MessagesPatch | MessagesFields | ModelInstance, /) -> None: ...
    @overload
    def replace(self, id: UsersId, value: UsersFields | ModelInstance, /) -> None: ...
    @overload
    def replace(self, table: Literal["users"], id: UsersId, value: UsersFields | ModelInstance, /) -> None: ...
    @overload
    def replace(self, id: ChannelsId, value: ChannelsFields | ModelInstance, /) -> None: ...
    @overload
    def replace(self, table: Literal["channels"], id: ChannelsId, value: ChannelsFields | ModelInstance, /) -> None: ...
    @overload
    def replace(self, id: MessagesId, value: MessagesFields | ModelInstance, /) -> None: ...
    @overload
    def replace(self, table: Literal["messages"], id: MessagesId, value: MessagesFields | ModelInstance, /) -> None: ...
    @overload
    def delete(self, id: _Id, /) -> None: ...
    @overload
    def delete(self, table: Literal["users"], id: UsersId, /) -> None: ...
    @overload
    def delete(self, table: Literal["channels"], id: ChannelsId, /) -> None: ...
    @overload
    def delete(self, table: Literal["messages"], id: MessagesId, /) -> None: ...

# Contexts; `vector_search` only where a table has a vector index

class QueryCtx(convexpy.QueryCtx):
    @property
    def db(self) -> DatabaseReader: ...

class MutationCtx(QueryCtx, convexpy.MutationCtx):
    @property
    def db(self) -> DatabaseWriter: ...

class ActionCtx(convexpy.ActionCtx): ...

class SyncActionCtx(convexpy.SyncActionCtx): ...

# Decorators

query: QueryDecorator[QueryCtx]
internal_query: QueryDecorator[QueryCtx]
mutation: MutationDecorator[MutationCtx]
internal_mutation: MutationDecorator[MutationCtx]
action: ActionDecorator[ActionCtx, SyncActionCtx]
internal_action: ActionDecorator[ActionCtx, SyncActionCtx]
