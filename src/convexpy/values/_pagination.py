"""What `paginate` takes and gives: the options that clients send, and one page of results."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
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


@dataclass(frozen=True, eq=False, kw_only=True, slots=True)
class PaginationResult(Mapping[str, Any], Generic[T_co]):
    """One page. A mapping with the wire's keys, which are attributes as well."""

    page: list[T_co]
    """The items, in order."""
    isDone: bool  # noqa: N815 - the key on the wire
    """Whether the end of the query was reached."""
    continueCursor: str  # noqa: N815
    """Where the next page starts."""
    splitCursor: str | None = None  # noqa: N815
    """A place in the middle of the page."""
    pageStatus: PageStatus | None = None  # noqa: N815
    """Whether clients had better split the page."""

    @overload
    def __getitem__(self, key: Literal["page"], /) -> list[T_co]: ...
    @overload
    def __getitem__(self, key: Literal["isDone"], /) -> bool: ...
    @overload
    def __getitem__(self, key: Literal["continueCursor"], /) -> str: ...
    @overload
    def __getitem__(self, key: str, /) -> Any: ...
    def __getitem__(self, key: str, /) -> Any:
        if key not in _KEYS:
            raise KeyError(key)
        return getattr(self, key)

    def __iter__(self) -> Iterator[str]:
        return iter(_KEYS)

    def __len__(self) -> int:
        return len(_KEYS)

    def map(self, transform: Callable[[T_co], U], /) -> PaginationResult[U]:
        """The same page with every item transformed."""
        fields: dict[str, Any] = {**self, "page": [transform(item) for item in self.page]}
        return PaginationResult(**fields)
