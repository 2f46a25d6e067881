"""Row-level security: rules that say who may read, insert and modify which documents.

Rules get the original ctx, unwrapped, and may query with it. A hidden document is absent in reads; a forbidden write
raises `AuthError`. Where a table has no rule for an operation, the default policy decides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, TypeAlias, cast

from msgspec.structs import replace
from typing_extensions import TypedDict, TypeVar

from convexpy.errors import AuthError
from convexpy.functions import DatabaseReader, DatabaseWriter, MutationDecorator, QueryDecorator, TableQuery
from convexpy.helpers._custom import custom_ctx, custom_mutation, custom_query
from convexpy.values import Document, normalize

C = TypeVar("C")
Reader = TypeVar("Reader", bound=DatabaseReader)
Writer = TypeVar("Writer", bound=DatabaseWriter)

_Rule: TypeAlias = Callable[[Any, Any], bool]
"""`(ctx, doc) -> bool`; ctx and doc are `Any`, so that a rule may name its generated types."""


class TableRules(TypedDict, total=False):
    """The rules of one table."""

    read: _Rule
    insert: _Rule
    modify: _Rule


Rules: TypeAlias = dict[str, TableRules]
_Policy: TypeAlias = Literal["allow", "deny"]
_Operation: TypeAlias = Literal["read", "insert", "modify"]


class _Guard:
    """Answers whether something is allowed."""

    def __init__(self, ctx: Any, db: DatabaseReader, rules: Rules, policy: _Policy) -> None:
        self._ctx = ctx
        self._db = db
        self._rules = rules
        self._allowed_by_default = policy == "allow"

    def allows(self, operation: _Operation, table: str | None, document: Mapping[str, Any]) -> bool:
        """Whether the operation is allowed on a document; a table that has no rules is None or its name."""
        rule = self._rules.get(table or "", {}).get(operation)
        return self._allowed_by_default if rule is None else bool(rule(self._ctx, document))

    def table_of(self, id: str) -> str | None:
        """Return the table with rules that an id is of."""
        for table in self._rules:
            if self._db.normalize_id(table, id) is not None:
                return table
        return None


class _GuardedReader(DatabaseReader):
    """A reader that shows what the rules allow."""

    __slots__ = ("_db", "_guard")

    def __init__(self, db: DatabaseReader, guard: _Guard) -> None:
        super().__init__(db._host)
        self._db: Any = db
        self._guard = guard

    def get(self, *args: Any) -> Any:
        document: Document | None = self._db.get(*args)
        if document is None or not self._guard.allows("read", self._guard.table_of(args[-1]), document):
            return None
        return document

    def get_many(self, ids: Iterable[str], /) -> list[Document | None]:
        return [self.get(id) for id in ids]

    def query(self, table: str, /) -> TableQuery[Document]:
        def visible(document: Any) -> bool:
            return self._guard.allows("read", table, document)

        # Before the app's own filters, which must not see hidden documents.
        found = self._db.query(table)
        return TableQuery(found._host, replace(found._plan, filters=(*found._plan.filters, visible)))


class _GuardedWriter(_GuardedReader, DatabaseWriter):
    """A writer that shows and takes what the rules allow."""

    __slots__ = ()

    def insert(self, table: str, value: Any, /) -> str:
        if not self._guard.allows("insert", table, normalize(value)):
            raise AuthError(f"insert into {table!r} is not allowed")
        return str(self._db.insert(table, value))

    def patch(self, *args: Any) -> None:
        self._require(args[:-1])
        self._db.patch(*args)

    def replace(self, *args: Any) -> None:
        self._require(args[:-1])
        self._db.replace(*args)

    def delete(self, *args: Any) -> None:
        self._require(args)
        self._db.delete(*args)

    def _require(self, place: tuple[Any, ...]) -> None:
        """Refuse to change a document that is hidden, gone or protected, without telling which."""
        document = self.get(*place)
        table = self._guard.table_of(place[-1])
        if document is None or not self._guard.allows("modify", table, document):
            raise AuthError(f"change of {place[-1]!r} is not allowed, or there is no such document")


def wrap_database_reader(
    ctx: Any, db: Reader, rules: Rules, /, *, default_policy: _Policy = "deny"
) -> Reader:
    """Return a reader that shows what the rules allow `ctx`."""
    return cast(Reader, _GuardedReader(db, _Guard(ctx, db, rules, default_policy)))


def wrap_database_writer(
    ctx: Any, db: Writer, rules: Rules, /, *, default_policy: _Policy = "deny"
) -> Writer:
    """Return a writer that shows and takes what the rules allow `ctx`."""
    return cast(Writer, _GuardedWriter(db, _Guard(ctx, db, rules, default_policy)))


def query_with_rls(
    base: QueryDecorator[C], rules: Callable[[C], Rules], /, *, default_policy: _Policy = "deny"
) -> QueryDecorator[C]:
    """Return a decorator whose queries get a `ctx.db` under rules."""

    def change(ctx: Any) -> Mapping[str, Any]:
        return {"db": wrap_database_reader(ctx, ctx.db, rules(ctx), default_policy=default_policy)}

    return custom_query(base, custom_ctx(change))


def mutation_with_rls(
    base: MutationDecorator[C], rules: Callable[[C], Rules], /, *, default_policy: _Policy = "deny"
) -> MutationDecorator[C]:
    """Return a decorator whose mutations get a `ctx.db` under rules."""

    def change(ctx: Any) -> Mapping[str, Any]:
        return {"db": wrap_database_writer(ctx, ctx.db, rules(ctx), default_policy=default_policy)}

    return custom_mutation(base, custom_ctx(change))
