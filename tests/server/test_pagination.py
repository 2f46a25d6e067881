"""Pages over a real socket, by a client that does what `usePaginatedQuery` does, while rows come, go and move.

After every Transition the pages together are exactly the rows of the index up to where the last one ends: no gap, no
overlap. What a row's place is, the test knows from the key of its index; where a page ends, from its cursor.
"""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import HealthCheck, Phase, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from support.processes import ServerProcess
from support.sockets import SyncSocket, add, remove

from convexpy.protocol.derived_keys import cursor_key
from convexpy.values import encode_key

SCHEMA = """
from convexpy import define_schema, define_table, v

schema = define_schema({
    "rows": define_table({"k": v.int(), "odd": v.boolean()}).index("by_k", ["k"]),
    "wide": define_table({"text": v.string()}),
})
"""
APP = """
from convexpy import PaginationOptions, mutation, query

def rows(ctx, order: str, odd: bool):
    found = ctx.db.query("rows").with_index("by_k").order(order)
    return found.filter(lambda row: row["odd"]) if odd else found

@query
def page(ctx, order: str, odd: bool, paginationOpts: PaginationOptions):
    return rows(ctx, order, odd).paginate(paginationOpts)

@query
def two(ctx, size: int):
    rising = rows(ctx, "asc", False).paginate({"numItems": size, "cursor": None})
    falling = rows(ctx, "desc", True).paginate({"numItems": 1, "cursor": None})
    return {"rising": dict(rising), "falling": dict(falling)}

@query
def by_time(ctx, paginationOpts: PaginationOptions):
    return ctx.db.query("rows").order("desc").paginate(paginationOpts)

@query
def all(ctx):
    return ctx.db.query("rows").with_index("by_k").collect()

@mutation
def change(ctx, adds: list[int], moves: list[list[int]], removes: list[int]):
    held = ctx.db.query("rows").collect()
    for k in adds:
        ctx.db.insert("rows", {"k": k, "odd": k % 2 == 1})
    for place, k in moves:
        if held:
            ctx.db.patch(held[place % len(held)]["_id"], {"k": k})
    for place in sorted({place % len(held) for place in removes} if held else (), reverse=True):
        ctx.db.delete(held[place]["_id"])

@mutation
def clear(ctx):
    for row in ctx.db.query("rows").collect():
        ctx.db.delete(row["_id"])

@mutation
def fill_wide(ctx, count: int, size: int):
    for n in range(count):
        ctx.db.insert("wide", {"text": "x" * size})

@query
def wide(ctx, paginationOpts: PaginationOptions):
    found = ctx.db.query("wide").paginate(paginationOpts)
    return found.map(lambda row: len(row["text"]))
"""
ALL = 0


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with contextlib.closing(ServerProcess(tmp_path_factory.mktemp("pages") / "data")) as server:
        server.push_ok({"fn.py": APP, "schema.py": SCHEMA})
        yield server


@pytest.fixture
def server(shared: ServerProcess) -> ServerProcess:
    """The shared server without rows."""
    shared.call("mutation", "fn:clear")
    return shared


def position(server: ServerProcess, cursor: str) -> bytes | None:
    """Return the place in the index that a cursor stands for, read with the server's key; None is the end."""
    sealed = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    key = cursor_key(json.loads((server.data / "keys.json").read_text())["instanceSecret"])
    # SIV is CTR from the tag on, two of its bits cleared (RFC 5297); without the query it cannot be checked here.
    start = bytearray(sealed[:16])
    start[8] &= 0x7F
    start[12] &= 0x7F
    padded = Cipher(algorithms.AES(key[32:]), modes.CTR(bytes(start))).decryptor().update(sealed[16:])
    marked = padded.rstrip(b"\0")[:-1]
    return marked[1:] if marked[0] else None


def place(row: dict[str, Any]) -> bytes:
    return encode_key([row["k"], row["_creationTime"], row["_id"]])


def covered(
    rows: list[dict[str, Any]], start: bytes | None, end: bytes | None, *, order: str, odd: bool
) -> list[dict[str, Any]]:
    """Return what a page has to show behind `start` and up to `end`."""
    desc = order == "desc"
    found = [
        row
        for row in rows
        if (row["odd"] or not odd)
        and (start is None or (place(row) < start if desc else place(row) > start))
        and (end is None or (place(row) >= end if desc else place(row) <= end))
    ]
    return found[::-1] if desc else found


@dataclass
class Page:
    """One page of the list: what it was asked with, and its two halves while it is being split."""

    query_id: int
    opts: dict[str, Any]
    halves: list[Page] = field(default_factory=list)


class PagedList:
    """What `usePaginatedQuery` does, on a socket of its own; `check` looks at every state that it would render."""

    def __init__(
        self, server: ServerProcess, *, order: str, odd: bool, size: int, budget: int | None
    ) -> None:
        self._server = server
        self._query: dict[str, Any] = {"order": order, "odd": odd}
        self._size = size
        self._more: dict[str, Any] = {} if budget is None else {"maximumRowsRead": budget}
        self._next_id = ALL + 1
        self._journals: dict[int, str | None] = {}
        self.splits = 0
        self.rendered = 0
        self.socket = SyncSocket(server.url)
        self.pages = [self._new(numItems=size, cursor=None)]
        self.socket.modify(add(ALL, "fn:all"), self._added(self.pages[0]))

    def _new(self, **opts: Any) -> Page:
        self._next_id += 1
        return Page(self._next_id, {**opts, "id": 7, **self._more})

    def _added(self, page: Page, journal: str | None = None) -> dict[str, Any]:
        made = add(page.query_id, "fn:page", **self._query, paginationOpts=page.opts)
        return {**made, "journal": journal}

    def result(self, page: Page) -> dict[str, Any] | None:
        found = self.socket.results.get(page.query_id)
        assert found is None or "page" in found, found
        return found

    def more(self, count: int) -> None:
        """Load one page more, if the last one is there and not the end."""
        last = self.result(self.pages[-1])
        if last is not None and not last["isDone"]:
            self.pages.append(self._new(numItems=count, cursor=last["continueCursor"]))
            self.socket.modify(self._added(self.pages[-1]))

    def disconnect(self) -> None:
        """Close the socket; the pages stay."""
        for message in self.socket.received:
            for change in message.get("modifications", ()):
                self._journals[change["queryId"]] = change.get("journal")
        self.socket.__exit__(None, None, None)

    def reconnect(self) -> None:
        """Come back with all queries and the journals that were told last."""
        self.socket = SyncSocket(self._server.url, session=self.socket.session)
        live = [each for page in self.pages for each in (page, *page.halves)]
        again = [self._added(page, self._journals.get(page.query_id)) for page in live]
        self.socket.modify(add(ALL, "fn:all"), *again)

    def settle(self) -> None:
        """Read on until the newest commit is shown and nothing is being loaded or split."""
        request = len(self.socket.received) + 1_000_000 * self.splits
        self.socket.mutation(request, "fn:change", adds=[], moves=[], removes=[])
        answered = False
        while not answered or self._busy():
            message = self.socket.receive()
            if message["type"] == "MutationResponse":
                assert message["success"], message
            elif message["type"] == "Transition":
                answered = any(each.get("requestId") == request for each in self.socket.received)
                self._split()
                self.check()

    def _busy(self) -> bool:
        return any(page.halves or self.result(page) is None for page in self.pages)

    def _split(self) -> None:
        for page in list(self.pages):
            found = self.result(page)
            if page.halves:
                self._swap(page)
            elif found is not None and found["splitCursor"] is not None and self._too_long(found):
                opts = {key: value for key, value in page.opts.items() if key != "endCursor"}
                split, end = found["splitCursor"], found["continueCursor"]
                page.halves = [
                    Page(self._next_id + 1, {**opts, "endCursor": split}),
                    Page(self._next_id + 2, {**opts, "cursor": split, "endCursor": end}),
                ]
                self._next_id += 2
                self.socket.modify(*map(self._added, page.halves))

    def _too_long(self, found: dict[str, Any]) -> bool:
        return found["pageStatus"] is not None or len(found["page"]) > 2 * self._size

    def _swap(self, page: Page) -> None:
        if all(self.result(half) is not None for half in page.halves):
            at = self.pages.index(page)
            self.pages[at : at + 1] = page.halves
            self.socket.modify(remove(page.query_id))
            self.splits += 1

    def check(self) -> None:
        """Compare all pages that are there with the rows of the same moment."""
        rows = self.socket.results.get(ALL)
        if rows is None:
            return
        shown: list[dict[str, Any]] = []
        end: bytes | None = None
        for number, page in enumerate(self.pages):
            found = self.result(page)
            if found is None:
                break
            self.rendered += 1
            start = None if page.opts["cursor"] is None else position(self._server, page.opts["cursor"])
            assert number == 0 or start == end, "two pages do not meet"
            end = position(self._server, found["continueCursor"])
            if found["pageStatus"] == "SplitRequired" and ("endCursor" in page.opts or page.halves):
                break  # what it shows is hidden until its halves are there
            assert found["isDone"] == (end is None)
            # Behind the end of the query, where a page that is to be split has led, there is nothing.
            behind_the_end = page.opts["cursor"] is not None and start is None
            expected = [] if behind_the_end else covered(rows, start, end, **self._query)
            if found["pageStatus"] == "SplitRequired":
                # Cut short: by a first run at its own end, by a later one before that.
                assert found["page"] == expected[: len(found["page"])]
                break
            assert found["page"] == expected
            shown += found["page"]
        else:
            assert shown == covered(rows, None, end, **self._query)


KEYS = st.integers(0, 12)
PLACES = st.integers(0, 50)


class Rows(RuleBasedStateMachine):
    """Rows come, go and move; pages are loaded, split and taken up again on a new connection."""

    server: ServerProcess
    rendered = splits = 0

    def __init__(self) -> None:
        super().__init__()
        self.server.call("mutation", "fn:clear")
        self.list: PagedList | None = None

    @initialize(
        keys=st.lists(KEYS, max_size=14),
        order=st.sampled_from(["asc", "desc"]),
        odd=st.booleans(),
        size=st.integers(1, 4),
        budget=st.sampled_from([None, None, None, 1, 3]),
        loads=st.integers(0, 4),
    )
    def begin(
        self, keys: list[int], order: str, odd: bool, size: int, budget: int | None, loads: int
    ) -> None:
        self._change(adds=keys)
        self.list = PagedList(self.server, order=order, odd=odd, size=size, budget=budget)
        for _ in range(loads):
            self.list.settle()
            self.list.more(size)

    @property
    def pages(self) -> PagedList:
        assert self.list is not None
        return self.list

    def _change(self, **changes: Any) -> None:
        self.server.call("mutation", "fn:change", **{"adds": [], "moves": [], "removes": [], **changes})

    @rule(keys=st.lists(KEYS, min_size=1, max_size=8))
    def insert(self, keys: list[int]) -> None:
        self._change(adds=keys)

    @rule(moves=st.lists(st.tuples(PLACES, KEYS).map(list), min_size=1, max_size=3))
    def move(self, moves: list[list[int]]) -> None:
        self._change(moves=moves)

    @rule(places=st.lists(PLACES, min_size=1, max_size=6))
    def delete(self, places: list[int]) -> None:
        self._change(removes=places)

    @rule(keys=st.lists(KEYS, max_size=3), moves=st.lists(st.tuples(PLACES, KEYS).map(list), max_size=2))
    def all_at_once(self, keys: list[int], moves: list[list[int]]) -> None:
        self._change(adds=keys, moves=moves, removes=[3, 4])

    @rule(count=st.integers(1, 5))
    def load_more(self, count: int) -> None:
        self.pages.more(count)

    @rule(keys=st.lists(KEYS, max_size=3), places=st.lists(PLACES, max_size=2))
    def reconnect(self, keys: list[int], places: list[int]) -> None:
        self.pages.disconnect()
        self._change(adds=keys, removes=places)
        self.pages.reconnect()

    @invariant()
    def pages_are_whole(self) -> None:
        if self.list is not None:
            self.list.settle()

    def teardown(self) -> None:
        if self.list is not None:
            Rows.rendered += self.list.rendered
            Rows.splits += self.list.splits
            self.list.socket.__exit__(None, None, None)


def test_pages_never_overlap_or_leave_a_gap(server: ServerProcess) -> None:
    Rows.server = server
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        Rows,
        settings=settings(
            max_examples=25,
            stateful_step_count=10,
            deadline=None,
            database=None,
            phases=[Phase.generate],  # to make a failure smaller takes longer than to read it
            suppress_health_check=list(HealthCheck),
        ),
    )
    assert Rows.rendered > 300
    assert Rows.splits > 5


# One rule at a time


def page(client: SyncSocket, query_id: int, journal: str | None = None, **opts: Any) -> dict[str, Any]:
    """Subscribe to a page and return its first result."""
    args = {"order": "asc", "odd": False, "paginationOpts": {"cursor": None, **opts}}
    client.modify({**add(query_id, "fn:page", **args), "journal": journal})
    found: dict[str, Any] = client.until_result(query_id, lambda _: True)
    return found


def journal_of(client: SyncSocket, query_id: int) -> str | None:
    """Return the journal that was told last with a query."""
    journals = [
        change["journal"]
        for message in client.received
        for change in message.get("modifications", ())
        if change["queryId"] == query_id
    ]
    found: str | None = journals[-1]
    return found


def keys(found: dict[str, Any]) -> list[int]:
    assert "page" in found, found
    return [row["k"] for row in found["page"]]


def change(server: ServerProcess, **changes: Any) -> None:
    server.call("mutation", "fn:change", **{"adds": [], "moves": [], "removes": [], **changes})


def test_several_pages_in_one_function_keep_their_borders_over_reconnects(server: ServerProcess) -> None:
    change(server, adds=[1, 2, 3, 4, 5])
    journal: str | None = None
    borders: set[tuple[str, str]] = set()
    session = None
    for number in range(3):
        with SyncSocket(server.url, session=session) as client:
            session = client.session
            client.modify({**add(0, "fn:two", size=2), "journal": journal}, add(1, "fn:all"))
            for k in (0, 6, 7):
                client.transition()
                rows, result = client.results[1], client.results[0]
                for name, order, odd in (("rising", "asc", False), ("falling", "desc", True)):
                    found = result[name]
                    end = position(server, found["continueCursor"])
                    assert found["page"] == covered(rows, None, end, order=order, odd=odd)
                borders.add((result["rising"]["continueCursor"], result["falling"]["continueCursor"]))
                change(server, adds=[k])
            client.transition()
            journal = journal_of(client, 0)
            assert json.loads(journal or "null") == list(borders.copy().pop()), number
    assert len(borders) == 1


def test_a_page_that_reached_the_end_takes_in_what_comes_behind_it(server: ServerProcess) -> None:
    change(server, adds=[1])
    with SyncSocket(server.url) as client:
        found = page(client, 0, numItems=3)
        assert (keys(found), found["isDone"]) == ([1], True)
        for n in range(2, 8):
            change(server, adds=[n])
            found = client.until_result(0, lambda found, n=n: keys(found) == [*range(1, n + 1)])
            assert found["isDone"] is True
        behind = page(client, 1, numItems=3, cursor=found["continueCursor"])
        assert (behind["page"], behind["isDone"]) == ([], True)


def test_an_explicit_end_wins_over_the_journal(server: ServerProcess) -> None:
    change(server, adds=[1, 2, 3, 4])
    with SyncSocket(server.url) as client:
        third = page(client, 0, numItems=3)["continueCursor"]
        assert keys(page(client, 1, numItems=1)) == [1]
        first = journal_of(client, 1)
        found = page(client, 2, first, numItems=1, endCursor=third)
        assert (keys(found), found["continueCursor"]) == ([1, 2, 3], third)
        assert journal_of(client, 2) == third
        # Without the explicit end the journal rules, over the number.
        assert keys(page(client, 3, third, numItems=1, id=3)) == [1, 2, 3]


def test_a_foreign_cursor_is_told_from_all_other_failures(server: ServerProcess) -> None:
    change(server, adds=[1, 2, 3])
    with SyncSocket(server.url) as client:
        good = page(client, 0, numItems=1)["continueCursor"]
        client.modify(add(1, "fn:by_time", paginationOpts={"numItems": 1, "cursor": None}))
        foreign = client.until_result(1, lambda _: True)["continueCursor"]
        assert foreign != good
        for number, (opts, journal) in enumerate(
            [
                ({"cursor": foreign}, None),
                ({"endCursor": foreign}, None),
                ({"cursor": "nonsense"}, None),
                ({"cursor": ""}, None),
                ({}, foreign),
                ({}, "[]["),
            ]
        ):
            opts = {"cursor": None, "numItems": 1, "id": number, **opts}
            args = {"order": "asc", "odd": False, "paginationOpts": opts}
            client.modify({**add(10 + number, "fn:page", **args), "journal": journal})
            failed = client.until_result(10 + number, lambda _: True)
            assert failed["type"] == "QueryFailed"
            assert "InvalidCursor: Tried to run a query starting from a cursor" in failed["errorMessage"]
            assert failed["errorData"] == {"isConvexSystemError": True, "paginationError": "InvalidCursor"}
            assert failed["journal"] is None
    answer = server.failure(
        "query", "fn:page", order="asc", odd=False, paginationOpts={"cursor": foreign, "numItems": 1}
    )
    assert answer["errorData"] == {"isConvexSystemError": True, "paginationError": "InvalidCursor"}


@pytest.mark.parametrize(
    ("opts", "text"),
    [
        ({"numItems": 0, "cursor": None}, "Must request at least 1 document while paginating"),
        ({"numItems": 1e9, "cursor": None}, "Pagination limit"),
        ({"numItems": 1, "cursor": None, "maximumRowsRead": 0}, "must be greater than 0"),
        ({"cursor": None}, "ArgumentValidationError"),
        ({"numItems": 1}, "ArgumentValidationError"),
        ({"numItems": 1, "cursor": None, "unheard": 1}, "ArgumentValidationError"),
    ],
)
def test_options_that_make_no_sense_fail_without_resetting_the_list(
    server: ServerProcess, opts: dict[str, Any], text: str
) -> None:
    with SyncSocket(server.url) as client:
        client.modify(add(0, "fn:page", order="asc", odd=False, paginationOpts=opts))
        failed = client.until_result(0, lambda _: True)
        assert failed["type"] == "QueryFailed"
        assert text in failed["errorMessage"]
        assert "InvalidCursor" not in failed["errorMessage"]
        assert "errorData" not in failed


def test_a_scan_budget_asks_for_a_split(server: ServerProcess) -> None:
    change(server, adds=[2, 4, 6, 7])
    with SyncSocket(server.url) as client:
        opts = {"numItems": 2, "cursor": None, "maximumRowsRead": 2}
        client.modify(add(0, "fn:page", order="asc", odd=True, paginationOpts=opts))
        found = client.until_result(0, lambda _: True)
        assert (found["page"], found["isDone"], found["pageStatus"]) == ([], False, "SplitRequired")
        assert position(server, found["splitCursor"]) is not None


def test_cursors_outlive_the_server_and_their_row(start_server: Any) -> None:
    server: ServerProcess = start_server()
    server.push_ok({"fn.py": APP, "schema.py": SCHEMA})
    change(server, adds=[1, 2, 3, 4, 5])
    with SyncSocket(server.url) as client:
        cursor = page(client, 0, numItems=2)["continueCursor"]
        journal = journal_of(client, 0)
    change(server, adds=[0], removes=[1])  # the row that the cursor points to
    server.kill()
    server.start()
    with SyncSocket(server.url, session=client.session) as again:
        again.modify()
        assert keys(page(again, 0, journal, numItems=2)) == [0, 1]
        found = page(again, 1, numItems=2, cursor=cursor)
        assert keys(found) == [3, 4]
        assert found["continueCursor"] != cursor
        # A version whose query is another one refuses them, and a page from the start works.
        server.push_ok({"fn.py": APP.replace('.with_index("by_k")', ""), "schema.py": SCHEMA})
        failed = again.until_result(1, lambda found: "page" not in found)
        assert failed["errorData"]["paginationError"] == "InvalidCursor"
        assert keys(page(again, 2, numItems=9)) == [1, 3, 4, 5, 0]


def test_a_page_that_outgrows_what_a_query_may_read_is_split_and_stays_whole(server: ServerProcess) -> None:
    """Twenty pages' worth of text comes into one page: it may not be read at once any more."""
    with SyncSocket(server.url) as client:
        client.modify(add(0, "fn:wide", paginationOpts={"numItems": 5, "cursor": None}))
        assert client.until_result(0, lambda _: True)["isDone"] is True
        for _ in range(4):
            server.call("mutation", "fn:fill_wide", count=9, size=600_000)
        found = client.until_result(0, lambda found: found["pageStatus"] == "SplitRequired")
        split, end = found["splitCursor"], found["continueCursor"]
        client.modify(
            add(1, "fn:wide", paginationOpts={"numItems": 5, "cursor": None, "endCursor": split}),
            add(2, "fn:wide", paginationOpts={"numItems": 5, "cursor": split, "endCursor": end}),
            remove(0),
        )
        first, second = (client.until_result(number, lambda _: True) for number in (1, 2))
        assert first["page"] + second["page"] == [600_000] * 36
        assert (first["isDone"], second["isDone"]) == (False, True)
