"""Queries: immutable builders that collect a `QueryPlan`, and read when they are asked for documents."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Generic, Literal, cast, overload

from msgspec.structs import replace
from typing_extensions import TypedDict, TypeVar

from convexpy.errors import ArgumentError, NotUnique
from convexpy.functions._host import Bound, DatabaseHost, QueryPlan, SearchSpec
from convexpy.values import UNSET, Document, PaginationOptions, PaginationResult, normalize, pagination_opts

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True, default=Document)
F = TypeVar("F", bound=str, default=Any)
S = TypeVar("S", bound=str, default=Any)


def _plain(value: Any, field: str) -> Any:
    return UNSET if value is UNSET else normalize(value, path=field)


class IndexRange(Generic[F]):
    """The `q` of `.with_index(name, lambda q: …)`. Immutable."""

    __slots__ = ("_equal", "_lower", "_upper")

    def __init__(
        self,
        equal: tuple[tuple[str, Any], ...] = (),
        lower: Bound | None = None,
        upper: Bound | None = None,
    ) -> None:
        self._equal = equal
        self._lower = lower
        self._upper = upper

    def eq(self, field: F, value: Any, /) -> IndexRange[F]:
        """The field has this value; UNSET: it is missing. Fields come in the index's order."""
        if self._lower or self._upper:
            raise ArgumentError(f"eq({field!r}) comes before gt, gte, lt and lte in an index range")
        return IndexRange((*self._equal, (field, _plain(value, field))))

    def gt(self, field: F, value: Any, /) -> IndexRange[F]:
        """The field is greater than this."""
        return self._above(Bound(field, _plain(value, field), False))

    def gte(self, field: F, value: Any, /) -> IndexRange[F]:
        """The field is this or greater."""
        return self._above(Bound(field, _plain(value, field), True))

    def lt(self, field: F, value: Any, /) -> IndexRange[F]:
        """The field is less than this."""
        return self._below(Bound(field, _plain(value, field), False))

    def lte(self, field: F, value: Any, /) -> IndexRange[F]:
        """The field is this or less."""
        return self._below(Bound(field, _plain(value, field), True))

    def _above(self, bound: Bound) -> IndexRange[F]:
        if self._lower is not None:
            raise ArgumentError("an index range has one lower bound: gt or gte, once")
        return IndexRange(self._equal, bound, self._upper)

    def _below(self, bound: Bound) -> IndexRange[F]:
        if self._upper is not None:
            raise ArgumentError("an index range has one upper bound: lt or lte, once")
        return IndexRange(self._equal, self._lower, bound)

    def _in(self, plan: QueryPlan) -> QueryPlan:
        return replace(plan, equal=self._equal, ordered=True, lower=self._lower, upper=self._upper)


class SearchFilter(Generic[F]):
    """A search that has its text; equality filters can be added. Immutable."""

    __slots__ = ("_spec",)

    def __init__(self, spec: SearchSpec) -> None:
        self._spec = spec

    def eq(self, field: F, value: Any, /) -> SearchFilter[F]:
        """The filter field has this value."""
        return SearchFilter(replace(self._spec, equal=(*self._spec.equal, (field, _plain(value, field)))))


class SearchBuilder(Generic[S, F]):
    """The `q` of `.with_search_index(name, lambda q: …)`."""

    __slots__ = ()

    def search(self, field: S, text: str, /) -> SearchFilter[F]:
        """The documents whose field matches the text, best first."""
        if type(text) is not str:
            raise ArgumentError(f"the text of a search is a string, not {text!r}")
        return SearchFilter(SearchSpec(field, text))


class VectorExpression:
    """A filter of a vector search: any of these fields has its value."""

    __slots__ = ("alternatives",)

    def __init__(self, alternatives: tuple[tuple[str, Any], ...]) -> None:
        self.alternatives: tuple[tuple[str, Any], ...] = alternatives


class VectorFilter(Generic[F]):
    """The `q` of `vector_search(…, filter=lambda q: …)`."""

    __slots__ = ()

    def eq(self, field: F, value: Any, /) -> VectorExpression:
        """The filter field has this value."""
        return VectorExpression(((field, _plain(value, field)),))

    def or_(self, *expressions: VectorExpression) -> VectorExpression:
        """One of these is true."""
        return VectorExpression(tuple(pair for each in expressions for pair in each.alternatives))


class VectorHit(TypedDict, Generic[T]):
    """A result of `vector_search`: generic in the type of the id."""

    _id: T
    _score: float


class Query(Generic[T_co]):
    """A lazy, immutable query over documents of one type."""

    __slots__ = ("_host", "_plan")

    def __init__(self, host: DatabaseHost, plan: QueryPlan) -> None:
        self._host = host
        self._plan = plan

    def order(self, direction: Literal["asc", "desc"], /) -> Query[T_co]:
        """Read the index forwards or backwards."""
        if direction not in ("asc", "desc"):
            raise ArgumentError(f"the order is 'asc' or 'desc', not {direction!r}")
        return Query(self._host, replace(self._plan, order=direction))

    def filter(self, predicate: Callable[[T_co], object], /) -> Query[T_co]:
        """Plain Python on each document as it is read."""
        if not callable(predicate):
            raise ArgumentError("filter takes a function of the document, e.g. lambda doc: doc['read']")
        return Query(self._host, replace(self._plan, filters=(*self._plan.filters, predicate)))

    def collect(self) -> list[T_co]:
        """Return all documents."""
        found: list[Any] = list(self._host.stream(self._plan))
        return found

    def take(self, count: int, /) -> list[T_co]:
        """Return the first documents, at most `count`."""
        number: Any = count
        if isinstance(number, bool) or not isinstance(number, int) or number < 0:
            raise ArgumentError(f"take needs a whole number from 0, not {number!r}")
        found: list[Any] = list(self._host.stream(self._plan, limit=number)) if number else []
        return found

    def first(self) -> T_co | None:
        """Return the first document, or None if there is none."""
        found: T_co | None = cast("Any", self._host.first(self._plan))
        return found

    def unique(self) -> T_co | None:
        """The one document or None; raises `NotUnique` if there are more."""
        found = self.take(2)
        documents: list[Any] = list(found)
        if len(found) > 1:
            raise NotUnique(
                f"unique() query returned more than one result from table {self._plan.table}:\n "
                f"[{', '.join(str(document.get('_id')) for document in documents)}, ...]"
            )
        return next(iter(found), None)

    def count(self) -> int:
        """Return how many documents there are."""
        return self._host.count(self._plan)

    def paginate(self, opts: PaginationOptions, /) -> PaginationResult[T_co]:
        """Return one page, as the client's `paginationOpts` ask for it."""
        plain = normalize(opts, path="paginationOpts")
        pagination_opts.validate(plain, ".paginationOpts")
        if plain["numItems"] < 1:
            raise ArgumentError(
                "Must request at least 1 document while paginating", code="NoDocumentsForPagination"
            )
        return PaginationResult(**self._host.paginate(self._plan, plain))

    def __iter__(self) -> Iterator[T_co]:
        found: Iterator[Any] = self._host.stream(self._plan)
        return found


def _ranged(plan: QueryPlan, given: Any) -> QueryPlan:
    """Return the plan with the fields of a mapping, or with the range that a function makes."""
    if isinstance(given, Mapping):
        pairs = tuple((field, _plain(value, field)) for field, value in given.items())
        return replace(plan, equal=pairs)
    if not callable(given):
        raise TypeError(f"a range of {plan.index!r} is a function or a mapping, not {given!r}")
    chosen = given(IndexRange())
    if not isinstance(chosen, IndexRange):
        raise TypeError(f"the range of {plan.index!r} must return q, not {chosen!r}")
    return chosen._in(plan)


class TableQuery(Query[T_co]):
    """What `db.query(table)` gives: a query that may still choose an index."""

    __slots__ = ()

    @overload
    def with_index(self, name: str, /, **equal: Any) -> Query[T_co]: ...
    @overload
    def with_index(
        self, name: str, range: Callable[[IndexRange], IndexRange] | Mapping[str, Any], /
    ) -> Query[T_co]: ...
    def with_index(self, name: str, /, *given: Any, **equal: Any) -> Query[T_co]:
        """Read through an index: fields that are equal to values, as keywords or a mapping, or a range."""
        plan = self._plan
        if not given:
            pairs = tuple([(field, _plain(value, field)) for field, value in equal.items()])
            # All fields by place: `replace` takes three times as long.
            chosen = QueryPlan(
                plan.table, name, pairs, False, None, None, plan.order, plan.filters, None, plan.system
            )
            return Query(self._host, chosen)
        if len(given) != 1 or equal:
            raise TypeError("with_index takes keywords, one mapping or one function, not several of them")
        return Query(self._host, _ranged(replace(plan, index=name), given[0]))

    def with_search_index(self, name: str, search: Callable[[SearchBuilder], SearchFilter], /) -> Query[T_co]:
        """Search a text: the best matches first."""
        chosen: Any = search(SearchBuilder())
        if not isinstance(chosen, SearchFilter):
            raise TypeError(f"the search of {name!r} must return q.search(…), not {chosen!r}")
        return Query(self._host, replace(self._plan, index=name, search=chosen._spec))
