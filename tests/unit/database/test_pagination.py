"""Pages cover a query once; with journals they never overlap or leave a gap while documents come and go."""

from __future__ import annotations

import base64
import random
from typing import Any

import pytest
from hypothesis import given, strategies as st

from convexpy.database import InvalidCursor, Store, Transaction, encode_entry, new_index_document
from convexpy.errors import ArgumentError
from convexpy.functions._host import Bound, QueryPlan
from convexpy.limits import TransactionBudget
from convexpy.persistence import MemoryFiles
from convexpy.runtime import ManualClock


class Numbers:
    """A table of numbers with an index on them."""

    def __init__(self, *numbers: int, key: bytes = b"k" * 64) -> None:
        self.store = Store(MemoryFiles().reader(), clock=ManualClock(), cursor_key=key)
        self.random = random.Random(5)
        self.seq = 0
        transaction = self.begin()
        transaction.insert("numbers", {"n": -1})
        tablet = transaction.catalog.by_name["numbers"].tablet
        transaction.system_insert(
            "_index", new_index_document(transaction.catalog, tablet, "by_n", ("n",), state="ready")
        )
        transaction.delete(next(transaction.stream(QueryPlan("numbers")))["_id"])
        self.commit(transaction)
        self.add(*numbers)

    def begin(self, **budget: int) -> Transaction:
        return self.store.begin(
            writable=True, now_ms=1_718_000_000_000, budget=TransactionBudget(**budget), random=self.random
        )

    def commit(self, transaction: Transaction) -> None:
        write_set = transaction.write_set("op", "f")
        if write_set is not None:
            self.seq += 1
            entry = encode_entry([write_set.encoded], max_creation_time=write_set.max_creation_time)
            self.store.row(self.seq, self.seq, entry)

    def add(self, *numbers: int) -> None:
        transaction = self.begin()
        for n in numbers:
            transaction.insert("numbers", {"n": n})
        self.commit(transaction)

    def remove(self, number: int) -> None:
        transaction = self.begin()
        for document in list(transaction.stream(plan(equal=(("n", number),)))):
            transaction.delete(document["_id"])
        self.commit(transaction)

    def page(
        self, made: QueryPlan, journal: str | None = None, *, function: str = "", **opts: Any
    ) -> tuple[dict[str, Any], str | None]:
        transaction = self.begin()
        transaction.function = function
        transaction.journal_in = journal
        page = transaction.paginate(made, {"cursor": None, **opts})
        return page, transaction.journal_out


def plan(**more: Any) -> QueryPlan:
    return QueryPlan("numbers", "by_n", **more)


def numbers(page: dict[str, Any]) -> list[int]:
    return [document["n"] for document in page["page"]]


ORDERS = st.sampled_from(["asc", "desc"])
ODD = (lambda document: document["n"] % 2 == 1,)


@pytest.mark.slow
@given(st.lists(st.integers(0, 30), max_size=25), ORDERS, st.integers(1, 7), st.booleans())
def test_pages_cover_everything_once(held: list[int], order: Any, size: int, odd: bool) -> None:
    table = Numbers(*held)
    made = plan(
        order=order, filters=ODD if odd else (), lower=Bound("n", 3, True), upper=Bound("n", 25, False)
    )
    found: list[int] = []
    cursor = None
    for _ in range(40):
        page, _ = table.page(made, cursor=cursor, numItems=size)
        assert len(page["page"]) <= size
        found += numbers(page)
        cursor = page["continueCursor"]
        if page["isDone"]:
            break
    kept = [n for n in held if 3 <= n < 25 and (not odd or n % 2)]
    assert found == sorted(kept, reverse=order == "desc")
    page, _ = table.page(made, cursor=cursor, numItems=size)
    assert (page["page"], page["isDone"]) == ([], True)


@given(
    st.lists(st.integers(0, 30), max_size=20),
    ORDERS,
    st.lists(st.tuples(st.booleans(), st.integers(0, 30)), max_size=15),
    st.integers(1, 5),
)
def test_pages_with_journals_neither_overlap_nor_leave_gaps(
    held: list[int], order: Any, changes: list[tuple[bool, int]], size: int
) -> None:
    """All pages are loaded, then documents come and go, and every page is run again with its journal."""
    table = Numbers(*held)
    made = plan(order=order)
    pages: list[tuple[str | None, str | None]] = []
    cursor = None
    while True:
        page, journal = table.page(made, cursor=cursor, numItems=size)
        pages.append((cursor, journal))
        cursor = page["continueCursor"]
        if page["isDone"]:
            break
    left = list(held)
    for adding, number in changes:
        if adding:
            table.add(number)
            left.append(number)
        else:
            table.remove(number)
            left = [n for n in left if n != number]
        found: list[int] = []
        for start, journal in pages:
            page, again = table.page(made, journal, cursor=start, numItems=size)
            assert again == journal
            assert page["isDone"] == (start == pages[-1][0])
            found += numbers(page)
        assert found == sorted(left, reverse=order == "desc")


@given(st.lists(st.integers(0, 30), min_size=2, max_size=25), ORDERS)
def test_a_page_splits_into_two_that_hold_the_same(held: list[int], order: Any) -> None:
    table = Numbers(*held)
    made = plan(order=order)
    whole, _ = table.page(made, numItems=100)
    assert whole["splitCursor"] is not None
    left, _ = table.page(made, numItems=1, endCursor=whole["splitCursor"])
    right, _ = table.page(made, numItems=1, cursor=whole["splitCursor"], endCursor=whole["continueCursor"])
    assert left["page"]
    assert right["page"]
    assert left["page"] + right["page"] == whole["page"]
    assert (left["isDone"], right["isDone"]) == (False, True)
    assert left["continueCursor"] == whole["splitCursor"]


def test_a_cursor_stays_valid_when_its_document_is_gone() -> None:
    table = Numbers(1, 2, 3)
    page, _ = table.page(plan(), numItems=2)
    table.remove(2)
    page, _ = table.page(plan(), cursor=page["continueCursor"], numItems=2)
    assert numbers(page) == [3]


def test_a_cursor_of_another_query_is_refused_with_both_signals() -> None:
    table = Numbers(1, 2, 3)
    good = table.page(plan(), numItems=1)[0]["continueCursor"]
    bad: list[tuple[QueryPlan, str]] = [
        (plan(order="desc"), good),
        (plan(lower=Bound("n", 1, True)), good),
        (plan(filters=ODD), good),
        (QueryPlan("numbers"), good),
        (QueryPlan("others"), good),
        (plan(), "nonsense"),
        (plan(), ""),
        (plan(), "é"),
        (plan(), good[:-3]),
        (plan(), Numbers(1, 2, key=b"o" * 64).page(plan(), numItems=1)[0]["continueCursor"]),
    ]
    for made, cursor in bad:
        for where in ("cursor", "endCursor"):
            with pytest.raises(InvalidCursor, match="InvalidCursor: Tried to run a query") as refused:
                table.page(made, numItems=1, **{where: cursor})
            assert refused.value.data == {"isConvexSystemError": True, "paginationError": "InvalidCursor"}
        with pytest.raises(InvalidCursor):
            table.page(made, cursor, numItems=1)


def test_a_cursor_belongs_to_the_function_that_made_it() -> None:
    table = Numbers(1, 2, 3)
    cursor = table.page(plan(), function="list", numItems=1)[0]["continueCursor"]
    assert numbers(table.page(plan(), function="list", cursor=cursor, numItems=1)[0]) == [2]
    with pytest.raises(InvalidCursor):
        table.page(plan(), function="other", cursor=cursor, numItems=1)


def test_cursors_tell_nothing_of_the_documents_behind_them() -> None:
    """Not what is in a key, not how long it is, not even whether it is the end of the query."""
    table = Numbers()
    transaction = table.begin()
    secrets = ["", "sesame", "open", "x" * 15]
    for text in secrets:
        transaction.insert("numbers", {"n": text})
    table.commit(transaction)
    cursors = _walk(table, plan(filters=(lambda document: False,)), maximumRowsRead=1)
    assert len(cursors) == len(set(cursors)) == len(secrets) + 1
    assert len({len(cursor) for cursor in cursors}) == 1
    for cursor in cursors:
        plain = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        assert not any(text and text.encode() in plain for text in secrets)
    assert cursors == _walk(table, plan(filters=(lambda document: False,)), maximumRowsRead=1)


def _walk(table: Numbers, made: QueryPlan, **opts: Any) -> list[str]:
    cursors: list[str] = []
    page: dict[str, Any] = {"isDone": False, "continueCursor": None}
    while not page["isDone"]:
        page, _ = table.page(made, numItems=1, cursor=page["continueCursor"], **opts)
        cursors.append(page["continueCursor"])
    return cursors


@given(st.data())
def test_a_changed_cursor_is_refused(data: st.DataObject) -> None:
    table = Numbers(1, 2, 3)
    cursor = bytearray(base64.urlsafe_b64decode(table.page(plan(), numItems=1)[0]["continueCursor"] + "=="))
    cursor[data.draw(st.integers(0, len(cursor) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(InvalidCursor):
        table.page(plan(), numItems=1, cursor=base64.urlsafe_b64encode(cursor).decode())


def test_an_end_cursor_wins_over_the_journal_and_over_the_number() -> None:
    table = Numbers(1, 2, 3, 4)
    first, journal = table.page(plan(), numItems=1)
    third = table.page(plan(), numItems=3)[0]["continueCursor"]
    page, again = table.page(plan(), journal, numItems=1, endCursor=third)
    assert (numbers(page), again) == ([1, 2, 3], third)
    assert numbers(first) == [1]


def test_several_paginated_queries_in_one_function_keep_their_own_ends() -> None:
    table = Numbers(1, 2, 3, 4)

    def run(journal: str | None) -> tuple[list[list[int]], str | None]:
        transaction = table.begin()
        transaction.journal_in = journal
        pages = [
            transaction.paginate(plan(order=order), {"numItems": size, "cursor": None})
            for order, size in (("asc", 2), ("desc", 1))
        ]
        return [numbers(page) for page in pages], transaction.journal_out

    found, journal = run(None)
    assert found == [[1, 2], [4]]
    table.add(0, 5)
    assert run(journal) == ([[0, 1, 2], [5, 4]], journal)


def test_a_scan_budget_cuts_a_page_short_and_says_so() -> None:
    table = Numbers(*range(10))
    page, _ = table.page(plan(filters=ODD), numItems=5, maximumRowsRead=4)
    assert (numbers(page), page["isDone"], page["pageStatus"]) == ([1, 3], False, "SplitRequired")
    page, _ = table.page(plan(filters=ODD), cursor=page["continueCursor"], numItems=5, maximumBytesRead=1)
    assert (numbers(page), page["isDone"], page["pageStatus"]) == ([], False, "SplitRequired")
    end = table.page(plan(), numItems=9)[0]["continueCursor"]
    page, _ = table.page(plan(), numItems=1, endCursor=end, maximumRowsRead=3)
    assert (numbers(page), page["continueCursor"], page["isDone"]) == ([0, 1, 2], end, False)
    assert page["pageStatus"] == "SplitRequired"


@given(
    st.lists(st.integers(0, 30), max_size=25),
    ORDERS,
    st.sampled_from([(), ODD, (lambda document: document["n"] > 28,)]),
    st.integers(1, 4),
)
def test_splitting_what_must_be_split_ends_with_every_document_in_one_page(
    held: list[int], order: Any, filters: Any, budget: int
) -> None:
    """As the hook for React does it: a page that was cut short is replaced by its two halves."""
    table = Numbers(*held)
    made = plan(order=order, filters=filters)
    todo: list[dict[str, str | None]] = [{"cursor": None, "endCursor": _end(table, made)}]
    found: list[int] = []
    for _ in range(200):
        if not todo:
            break
        edges = todo.pop(0)
        page, _ = table.page(made, numItems=1, maximumRowsRead=budget, **edges)
        if page["pageStatus"] == "SplitRequired":
            split = page["splitCursor"]
            assert split is not None
            todo[:0] = [{**edges, "endCursor": split}, {**edges, "cursor": split}]
        else:
            found += numbers(page)
    assert todo == []
    kept = [n for n in held if all(keep({"n": n}) for keep in filters)]
    assert found == sorted(kept, reverse=order == "desc")


def _end(table: Numbers, made: QueryPlan) -> str:
    """Return the cursor of the end of the query."""
    cursor: str | None = None
    while True:
        page, _ = table.page(made, cursor=cursor, numItems=8000)
        cursor = page["continueCursor"]
        if page["isDone"]:
            return str(cursor)


def test_a_page_stops_before_the_limits_of_its_transaction() -> None:
    """A page grows as documents come: it must be split then, not fail."""
    table = Numbers(*range(30))
    end = table.page(plan(), numItems=29)[0]["continueCursor"]
    for journal, opts in ((None, {"numItems": 10, "endCursor": end}), (end, {"numItems": 1})):
        transaction = table.begin(documents_read=20)
        for _ in transaction.stream(plan(), limit=5):
            pass
        transaction.journal_in = journal
        page = transaction.paginate(plan(), {"cursor": None, **opts})
        assert (numbers(page), page["pageStatus"]) == ([*range(15)], "SplitRequired")
        assert page["continueCursor"] == end
        assert page["splitCursor"] is not None


def test_a_page_is_no_longer_than_an_array_may_be() -> None:
    table = Numbers()
    transaction = table.begin()
    for n in range(9000):
        transaction.insert("numbers", {"n": n})
    table.commit(transaction)
    first, _ = table.page(plan(), numItems=9000)
    assert (len(first["page"]), first["isDone"], first["pageStatus"]) == (8192, False, "SplitRecommended")
    whole, _ = table.page(plan(), numItems=1, endCursor=_end(table, plan()))
    assert (len(whole["page"]), whole["pageStatus"]) == (8192, "SplitRequired")


def test_a_page_near_the_read_limit_should_be_split() -> None:
    table = Numbers(*range(10))
    transaction = table.begin(documents_read=12)
    page = transaction.paginate(plan(), {"numItems": 10, "cursor": None})
    assert page["pageStatus"] == "SplitRecommended"


@pytest.mark.parametrize(
    ("items", "budget", "status"),
    [
        (7, {"maximumRowsRead": 10}, None),
        (8, {"maximumRowsRead": 10}, "SplitRecommended"),
        (10, {"maximumRowsRead": 10}, "SplitRecommended"),
        (10, {"maximumRowsRead": 9}, "SplitRequired"),
        (7, {"maximumBytesRead": 10}, None),
        (8, {"maximumBytesRead": 10}, "SplitRecommended"),
        (10, {"maximumBytesRead": 9}, "SplitRequired"),
    ],
)
def test_a_page_near_its_own_limit_should_be_split(
    items: int, budget: dict[str, int], status: str | None
) -> None:
    table = Numbers(*range(10, 40))
    whole = table.begin()
    list(whole.stream(plan(), limit=30))
    if "maximumBytesRead" in budget:
        budget = {"maximumBytesRead": budget["maximumBytesRead"] * whole.charges.bytes_read // 30}
    page, _ = table.page(plan(), numItems=items, **budget)
    assert page["pageStatus"] == status
    assert (page["splitCursor"] is not None) == (len(page["page"]) > 1)


def test_pages_of_a_table_that_comes_later_go_on() -> None:
    table = Numbers()
    made = QueryPlan("later")
    page, journal = table.page(made, numItems=2)
    assert (page["page"], page["isDone"]) == ([], True)
    transaction = table.begin()
    transaction.insert("later", {"n": 1})
    table.commit(transaction)
    page, again = table.page(made, journal, numItems=2)
    assert (numbers(page), page["isDone"], again) == ([1], True, journal)


@pytest.mark.parametrize(
    ("opts", "code"),
    [
        ({"numItems": 0}, "NoDocumentsForPagination"),
        ({}, "NoDocumentsForPagination"),
        ({"numItems": float("nan")}, "ArgumentError"),
        ({"numItems": True}, "ArgumentError"),
        ({"numItems": 1e300}, "PageSizeTooLarge"),
        ({"numItems": 1, "cursor": 5}, "ArgumentError"),
        ({"numItems": 1, "maximumRowsRead": 0}, "ArgumentError"),
    ],
)
def test_options_that_make_no_sense_are_refused(opts: dict[str, Any], code: str) -> None:
    with pytest.raises(ArgumentError) as refused:
        Numbers(1).page(plan(), **opts)
    assert refused.value.code == code


def test_sizes_arrive_as_floats() -> None:
    assert numbers(Numbers(1, 2, 3).page(plan(), numItems=2.0, id=5.0)[0]) == [1, 2]
