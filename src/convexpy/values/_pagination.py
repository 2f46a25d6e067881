"""What `paginate` takes and gives: the options that clients send, and one page of results."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Generic, Literal, NotRequired, TypeAlias, overload

from typing_extensions import TypedDict, TypeVar

from convexpy.values._types import Document

U = TypeVar("U")
T_co = TypeVar("T_co", covariant=True, default=Document)

_KEYS = ("page", "isDone", "continueCursor", "splitCursor", "pageStatus")


class PaginationOptions(TypedDict):
    """What official clients send as `paginationOpts`; pass it on to `.paginate`."""

    numItems: int
    cursor: str | None
    endCursor: NotRequired[str | None]
    id: NotRequired[int]
    maximumRowsRead: NotRequired[int]
    maximumBytesRead: NotRequired[int]


PageStatus: TypeAlias = Literal["SplitRecommended", "SplitRequired"]


class PaginationResult(Mapping[str, Any], Generic[T_co]):
    """One page. A mapping with the wire's keys, which are attributes as well."""

    __slots__ = ("_fields",)

    def __init__(
        self,
        *,
        page: list[T_co],
        isDone: bool,  # noqa: N803 - the key on the wire
        continueCursor: str,  # noqa: N803
        splitCursor: str | None = None,  # noqa: N803
        pageStatus: PageStatus | None = None,  # noqa: N803
    ) -> None:
        self._fields: dict[str, Any] = dict(
            zip(_KEYS, (page, isDone, continueCursor, splitCursor, pageStatus), strict=True)
        )

    @property
    def page(self) -> list[T_co]:
        """The items, in order."""
        found: list[T_co] = self._fields["page"]
        return found

    @property
    def isDone(self) -> bool:  # noqa: N802 - the key on the wire
        """Whether the end of the query was reached."""
        return bool(self._fields["isDone"])

    @property
    def continueCursor(self) -> str:  # noqa: N802
        """Where the next page starts."""
        return str(self._fields["continueCursor"])

    @property
    def splitCursor(self) -> str | None:  # noqa: N802
        """A place in the middle of the page."""
        found: str | None = self._fields["splitCursor"]
        return found

    @property
    def pageStatus(self) -> PageStatus | None:  # noqa: N802
        """Whether clients had better split the page."""
        found: PageStatus | None = self._fields["pageStatus"]
        return found

    @overload
    def __getitem__(self, key: Literal["page"], /) -> list[T_co]: ...
    @overload
    def __getitem__(self, key: Literal["isDone"], /) -> bool: ...
    @overload
    def __getitem__(self, key: Literal["continueCursor"], /) -> str: ...
    @overload
    def __getitem__(self, key: str, /) -> Any: ...
    def __getitem__(self, key: str, /) -> Any:
        return self._fields[key]

    def __iter__(self) -> Iterator[str]:
        return iter(_KEYS)

    def __len__(self) -> int:
        return len(_KEYS)

    def __repr__(self) -> str:
        return f"PaginationResult({', '.join(f'{name}={self[name]!r}' for name in _KEYS)})"

    def map(self, transform: Callable[[T_co], U], /) -> PaginationResult[U]:
        """The same page with every item transformed."""
        return PaginationResult(
            page=[transform(item) for item in self.page],
            isDone=self.isDone,
            continueCursor=self.continueCursor,
            splitCursor=self.splitCursor,
            pageStatus=self.pageStatus,
        )
