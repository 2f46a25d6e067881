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
    TasksDoc,
    TasksFields,
    TasksId,
    TasksPatch,
)

_Id: TypeAlias = TasksId

# Queries: per index the equality form and the range form. Staged indexes are not here. The parameter is called `_index`, since a
# field may be called `name` or `index`, but none starts with `_`. Dotted and reserved field names, and `self`, are only in the range
# form. A table without search indexes gets `with_search_index(self) -> Never`.

class _TasksQuery(TableQuery[TasksDoc]):
    @overload
    def with_index(self, _index: Literal["by_id"], /, *, _id: TasksId = ...) -> Query[TasksDoc]: ...
    @overload
    def with_index(
        self, _index: Literal["by_id"], range: Callable[[IndexRange[Literal["_id"]]], IndexRange] | Mapping[str, Any], /
    ) -> Query[TasksDoc]: ...
    @overload
    def with_index(
        self, _index: Literal["by_creation_time"], /, *, _creationTime: float = ..., _id: TasksId = ...
    ) -> Query[TasksDoc]: ...
    @overload
    def with_index(
        self, _index: Literal["by_creation_time"],
        range: Callable[[IndexRange[Literal["_creationTime", "_id"]]], IndexRange] | Mapping[str, Any], /,
    ) -> Query[TasksDoc]: ...
    @overload
    def with_index(
        self, _index: Literal["by_done"], /, *, done: bool = ..., _creationTime: float = ..., _id: TasksId = ...
    ) -> Query[TasksDoc]: ...
    @overload
    def with_index(
        self, _index: Literal["by_done"],
        range: Callable[[IndexRange[Literal["done", "_creationTime", "_id"]]], IndexRange] | Mapping[str, Any], /,
    ) -> Query[TasksDoc]: ...
    def with_search_index(self) -> Never: ...

# Database: overloads per table (with strict_table_names=False a last one for any `str`). For a call that fits none, checkers name
# what is wrong with the last form of its table: the one that takes a document, not a model.

class DatabaseReader(convexpy.DatabaseReader):
    @overload
    def get(self, id: TasksId, /) -> TasksDoc | None: ...
    @overload
    def get(self, table: Literal["tasks"], id: TasksId, /) -> TasksDoc | None: ...
    def get_many(self, ids: Iterable[TasksId], /) -> list[TasksDoc | None]: ...
    def query(self, table: Literal["tasks"], /) -> _TasksQuery: ...
    def normalize_id(self, table: Literal["tasks"], text: str, /) -> TasksId | None: ...

class DatabaseWriter(DatabaseReader, convexpy.DatabaseWriter):
    @overload
    def insert(self, table: Literal["tasks"], value: ModelInstance, /) -> TasksId: ...
    @overload
    def insert(self, table: Literal["tasks"], value: TasksFields, /) -> TasksId: ...
    @overload
    def patch(self, id: TasksId, value: TasksFields | ModelInstance, /) -> None: ...
    @overload
    def patch(self, id: TasksId, value: TasksPatch, /) -> None: ...
    @overload
    def patch(self, table: Literal["tasks"], id: TasksId, value: TasksFields | ModelInstance, /) -> None: ...
    @overload
    def patch(self, table: Literal["tasks"], id: TasksId, value: TasksPatch, /) -> None: ...
    @overload
    def replace(self, id: TasksId, value: ModelInstance, /) -> None: ...
    @overload
    def replace(self, id: TasksId, value: TasksFields, /) -> None: ...
    @overload
    def replace(self, table: Literal["tasks"], id: TasksId, value: ModelInstance, /) -> None: ...
    @overload
    def replace(self, table: Literal["tasks"], id: TasksId, value: TasksFields, /) -> None: ...
    @overload
    def delete(self, id: _Id, /) -> None: ...
    @overload
    def delete(self, table: Literal["tasks"], id: TasksId, /) -> None: ...

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
