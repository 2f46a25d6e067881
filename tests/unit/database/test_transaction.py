"""What a transaction refuses, in Convex's words, and what it counts."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from convexpy.database import (
    Replay,
    Store,
    Transaction,
    decode_entry,
    encode_entry,
    new_index_document,
    written_keys,
)
from convexpy.errors import (
    ArgumentError,
    DocumentNotFound,
    Error,
    InvariantViolation,
    LimitExceeded,
    NotUnique,
    SchemaViolation,
)
from convexpy.functions._host import Bound, QueryPlan
from convexpy.limits import TransactionBudget
from convexpy.persistence import MemoryFiles
from convexpy.runtime import ManualClock
from convexpy.values import UNSET, decode_id

NOW = 1_718_000_000_000


class World:
    """A store in memory whose transactions become durable at once."""

    def __init__(self) -> None:
        self.files = MemoryFiles()
        self.store = Store(self.files.reader(), clock=ManualClock())
        self.random = random.Random(3)
        self.seq = 0

    def begin(self, *, writable: bool = True, now_ms: int = NOW, **budget: Any) -> Transaction:
        return self.store.begin(
            writable=writable, now_ms=now_ms, budget=TransactionBudget(**budget), random=self.random
        )

    def commit(self, transaction: Transaction, replay: Replay | None = None) -> bytes:
        write_set = transaction.write_set("op", "f", replay)
        assert write_set is not None
        self.seq += 1
        entry = encode_entry([write_set.encoded], max_creation_time=write_set.max_creation_time)
        self.store.row(self.seq, self.seq, entry)
        return write_set.encoded


@pytest.fixture
def world() -> World:
    """A table `messages` with an index `by_ab` on a and b, a building and a staged one, and two documents."""
    world = World()
    transaction = world.begin()
    transaction.insert("messages", {"a": 1, "b": "x"})
    tablet = transaction.catalog.by_name["messages"].tablet
    for name, state in (("by_ab", "ready"), ("by_building", "building"), ("by_staged", "staged")):
        document = new_index_document(transaction.catalog, tablet, name, ["a", "b"], state=state)
        transaction.system_insert("_index", document)
    world.commit(transaction)
    transaction = world.begin()
    old = transaction.first(QueryPlan("messages"))
    assert old is not None
    transaction.delete(old["_id"])
    for a in (1, 2):
        transaction.insert("messages", {"a": a, "b": "x"})
    world.commit(transaction)
    return world


def plan(index: str | None = "by_ab", *equal: tuple[str, Any], **more: Any) -> QueryPlan:
    return QueryPlan("messages", index, tuple(equal), **more)


@pytest.mark.parametrize(
    ("made", "code", "text"),
    [
        (plan("nope"), "IndexNotFoundError", "Index messages.nope not found."),
        (
            plan("by_building"),
            "IndexBackfillingError",
            "Index messages.by_building is currently backfilling and not available to query yet.",
        ),
        (
            plan("by_staged"),
            "IndexStagedError",
            "Index messages.by_staged is currently staged and not available to query until it is enabled.",
        ),
        (
            plan("by_ab", ("b", 1)),
            "InvalidIndexRange",
            "Tried to query index messages.by_ab but the query didn't use the index fields in order.\n"
            'Index fields: ["a", "b", "_creationTime"]\nQuery fields: ["b"]\nFirst incorrect field: "b"',
        ),
        (plan("by_ab", ("b", 1), ("a", 1), ordered=True), "InvalidIndexRange", 'Query fields: ["b", "a"]'),
        (
            plan("by_ab", ("z", 1)),
            "FieldNotInIndex",
            'The index range included a comparison with "z", but messages.by_ab with fields '
            '["a", "b", "_creationTime"] doesn\'t index this field.',
        ),
        (
            plan("by_ab", ("a", 1), ("a", 2)),
            "AlreadyDefinedBound",
            'Already defined equality bound in index range. Can\'t add "a" == 2.',
        ),
        (
            plan("by_ab", ("a", UNSET), lower=Bound("a", 1, True)),
            "AlreadyDefinedBound",
            'Already defined inequality bound in index range. Can\'t add "a" == undefined.',
        ),
        (
            plan("by_ab", lower=Bound("a", 1, True), upper=Bound("b", 1, True)),
            "BoundsOnMultipleFields",
            'attempted to set a range bound on both "a" and "b". Consider using `filter` instead.',
        ),
        (plan("by_ab", upper=Bound("b", 1, True)), "InvalidIndexRange", 'First incorrect field: "b"'),
        (QueryPlan("_storage"), "WrongTableKind", "is read with `ctx.db.system.query`"),
        (QueryPlan("messages", system=True), "WrongTableKind", "is read with `ctx.db.query`"),
        (QueryPlan("_tables", system=True), "ArgumentError", "cannot be read by functions"),
    ],
)
def test_a_query_that_does_not_fit_is_refused_in_the_official_words(
    world: World, made: QueryPlan, code: str, text: str
) -> None:
    with pytest.raises(ArgumentError) as refused:
        list(world.begin().stream(made))
    assert refused.value.code == code
    assert text in str(refused.value)


def values(found: Any) -> list[Any]:
    return [document["a"] for document in found]


def test_equalities_as_keywords_come_in_any_order(world: World) -> None:
    assert values(world.begin().stream(plan("by_ab", ("b", "x"), ("a", 2)))) == [2]


def test_a_range_may_end_in_creation_time_and_id(world: World) -> None:
    transaction = world.begin()
    document = transaction.first(QueryPlan("messages"))
    assert document is not None
    equal = (("a", 1), ("b", "x"), ("_creationTime", document["_creationTime"]), ("_id", document["_id"]))
    assert values(transaction.stream(plan("by_ab", *equal))) == [1]
    later = Bound("_creationTime", document["_creationTime"], inclusive=False)
    assert values(transaction.stream(plan("by_creation_time", lower=later))) == [2]
    assert values(transaction.stream(plan(None, upper=later))) == []


@pytest.mark.parametrize(
    ("lower", "upper", "count"),
    [(None, None, 2), (5, None, 2), ("", None, 2), (b"x", None, 0), (None, 5, 0), (None, "zz", 2)],
)
def test_ids_of_any_type_bound_by_id(world: World, lower: Any, upper: Any, count: int) -> None:
    made = plan(
        "by_id",
        lower=Bound("_id", lower, True) if lower is not None else None,
        upper=Bound("_id", upper, True) if upper is not None else None,
    )
    assert world.begin().count(made) == count


def test_a_missing_table_is_empty_and_creating_it_is_noticed(world: World) -> None:
    transaction = world.begin(writable=False)
    assert list(transaction.stream(QueryPlan("later"))) == []
    assert transaction.normalize_id("later", "x") is None
    with pytest.raises(ArgumentError, match=r"Index later\.by_a not found\."):
        list(transaction.stream(QueryPlan("later", "by_a")))
    assert [-1, b"", b"\xff"] in transaction.read_set.encoded()
    creating = world.begin()
    creating.insert("later", {})
    assert any(index == -1 for index, _ in written_keys(world.commit(creating)))


def test_unique_names_two_documents(world: World) -> None:
    transaction = world.begin()
    assert transaction.unique(plan("by_ab", ("a", 3))) is None
    assert transaction.unique(plan("by_ab", ("a", 2))) is not None
    with pytest.raises(
        NotUnique, match=r"more than one result from table messages:\n \[\w{32}, \w{32}, \.\.\.\]"
    ):
        transaction.unique(QueryPlan("messages"))


def test_filters_run_before_take_counts(world: World) -> None:
    made = QueryPlan("messages", filters=(lambda d: d["a"] > 1, lambda d: d["b"] == "x"))
    transaction = world.begin()
    assert values(transaction.stream(made, limit=1)) == [2]
    assert transaction.count(made) == 1
    assert list(transaction.stream(made, limit=0)) == []


@pytest.mark.parametrize(
    ("act", "text"),
    [
        (lambda t, i: t.patch(i, None, {"a": 5}), "Update on nonexistent document ID"),
        (lambda t, i: t.replace(i, "messages", {"a": 5}), "Replace on nonexistent document ID"),
        (lambda t, i: t.delete(i), "Delete on nonexistent document ID"),
    ],
)
def test_writing_what_is_gone_fails(world: World, act: Callable[[Transaction, str], None], text: str) -> None:
    transaction = world.begin()
    id = transaction.insert("messages", {})
    transaction.delete(id)
    with pytest.raises(DocumentNotFound, match=f"{text} {id}"):
        act(transaction, id)
    unknown = id.replace(id[:2], "zz")
    assert decode_id(unknown) is None
    with pytest.raises(ArgumentError, match="Unable to decode ID"):
        act(transaction, unknown)


def test_ids_are_checked_against_table_and_side(world: World) -> None:
    transaction = world.begin()
    mine = transaction.insert("messages", {})
    other = transaction.insert("others", {})
    system = transaction.system_insert("_storage", {"size": 1})
    assert transaction.get(mine, "messages") is not None
    with pytest.raises(ArgumentError, match="expected ID for table `messages`, got an ID of table `others`"):
        transaction.get(other, "messages")
    with pytest.raises(ArgumentError, match="the ID is of table `_storage`"):
        transaction.get(system)
    with pytest.raises(ArgumentError, match="only reads system tables"):
        transaction.get(mine, system=True)
    with pytest.raises(ArgumentError, match="the ID is of table `_storage`"):
        transaction.delete(system)
    assert transaction.get(system, system=True) == transaction.get(system, "_storage", system=True)
    assert transaction.normalize_id("others", other) == other
    assert transaction.normalize_id("messages", other) is None
    assert transaction.normalize_id("_storage", system) is None
    assert transaction.normalize_id("_storage", system, system=True) == system
    assert transaction.normalize_id("messages", "nonsense") is None
    assert transaction.table_number("others") == decode_id(other)[0]  # type: ignore[index]


def test_private_system_tables_need_privilege(world: World) -> None:
    transaction = world.begin()
    id = transaction.system_insert("_settings", {"name": "x"})
    with pytest.raises(ArgumentError, match="cannot be read by functions"):
        transaction.get(id, system=True)
    transaction.is_privileged = True
    assert transaction.get(id, system=True) is not None
    assert len(list(transaction.stream(QueryPlan("_tables", system=True)))) == 1
    transaction.system_patch("_settings", id, {"value": 1})
    transaction.system_replace("_settings", id, {"name": "y"})
    transaction.system_delete("_settings", id)
    with pytest.raises(InvariantViolation):
        transaction.system_insert("messages", {})


@pytest.mark.parametrize("name", ["_mine", "_storage", "9lives", "a-b", "", "x" * 65])
def test_names_of_new_tables_are_checked(world: World, name: str) -> None:
    with pytest.raises(ArgumentError, match="Invalid table name"):
        world.begin().insert(name, {})


def test_system_fields_cannot_be_set(world: World) -> None:
    transaction = world.begin()
    for value in ({"_id": "x"}, {"_creationTime": 1}, {"_mine": 1}):
        with pytest.raises(ArgumentError, match="starts with '_'"):
            transaction.insert("messages", value)
    id = transaction.insert("messages", {"a": 1})
    document = transaction.get(id)
    assert document is not None
    transaction.replace(id, None, {**document, "a": 2})
    transaction.patch(id, None, {"_id": id, "a": UNSET})
    assert transaction.get(id) == {"_id": id, "_creationTime": document["_creationTime"]}
    with pytest.raises(ArgumentError, match="does not match"):
        transaction.patch(id, None, {"_creationTime": 5})
    with pytest.raises(ArgumentError, match="starts with '_'"):
        transaction.patch(id, None, {"_other": 5})


def test_a_document_that_is_too_big_is_refused(world: World) -> None:
    with pytest.raises(Error, match="too large"):
        world.begin().insert("messages", {"body": "x" * 1_100_000})


def test_documents_are_fresh_each_time(world: World) -> None:
    transaction = world.begin()
    id = transaction.insert("messages", {"list": [1]})
    document = transaction.get(id)
    assert document is not None
    document["list"].append(2)
    assert transaction.get(id)["list"] == [1]  # type: ignore[index]


def test_creation_times_grow_when_the_clock_goes_back(world: World) -> None:
    transaction = world.begin()
    times = [transaction.get(transaction.insert("messages", {}))["_creationTime"] for _ in range(3)]  # type: ignore[index]
    world.commit(transaction)
    transaction = world.begin(now_ms=NOW - 5000)
    times += [transaction.get(transaction.insert("messages", {}))["_creationTime"] for _ in range(3)]  # type: ignore[index]
    assert times == sorted(set(times))
    assert times[-1] - times[0] < 1


def test_queries_cannot_write(world: World) -> None:
    transaction = world.begin(writable=False)
    id = next(transaction.stream(QueryPlan("messages")))["_id"]
    for act in (
        lambda: transaction.insert("messages", {}),
        lambda: transaction.patch(id, None, {}),
        lambda: transaction.delete(id),
    ):
        with pytest.raises(ArgumentError, match="cannot write"):
            act()
    assert transaction.write_set("op", "f", None) is None


@pytest.mark.parametrize(
    ("budget", "act", "code"),
    [
        ({"documents_read": 1}, lambda t: list(t.stream(QueryPlan("messages"))), "TooManyDocumentsRead"),
        ({"bytes_read": 10}, lambda t: list(t.stream(QueryPlan("messages"))), "TooManyBytesRead"),
        ({"database_queries": 1}, lambda t: [t.first(QueryPlan("messages")) for _ in "ab"], "TooManyReads"),
        ({"documents_written": 1}, lambda t: [t.insert("messages", {}) for _ in "ab"], "TooManyWrites"),
        ({"bytes_written": 50}, lambda t: t.insert("messages", {"b": "x" * 50}), "TooManyBytesWritten"),
    ],
)
def test_limits_are_named_with_their_use(
    world: World, budget: dict[str, Any], act: Callable[[Transaction], Any], code: str
) -> None:
    transaction = world.begin(**budget)
    with pytest.raises(LimitExceeded) as refused:
        act(transaction)
    (limit,) = budget
    used, maximum = transaction.usage()[limit]
    assert (refused.value.code, refused.value.limit) == (code, limit)
    assert f"(limit: {maximum}" in str(refused.value)
    assert f"({limit}: {used} used)" in str(refused.value)
    assert used > maximum


def test_a_sub_transaction_may_be_given_less_and_gives_back_what_it_undoes(world: World) -> None:
    transaction = world.begin()
    transaction.insert("messages", {})
    transaction.push({"documents_written": 1})
    assert transaction.usage()["documents_written"] == (1, 2)
    transaction.insert("messages", {})
    with pytest.raises(LimitExceeded, match="documents_written: 3 used"):
        transaction.insert("messages", {})
    transaction.drop()
    assert transaction.usage()["documents_written"] == (1, 16_000)
    transaction.push({"documents_written": 1})
    transaction.insert("messages", {})
    transaction.merge()
    assert transaction.usage()["documents_written"] == (2, 16_000)
    with pytest.raises(ArgumentError, match="unknown limit 'nonsense'"):
        transaction.push({"nonsense": 1})
    transaction.charges.charge("functions_scheduled", 3)
    assert transaction.usage()["functions_scheduled"] == (3, 1000)


def test_a_dropped_sub_transaction_takes_its_new_table_along(world: World) -> None:
    transaction = world.begin()
    transaction.push()
    transaction.insert("fresh", {})
    assert "fresh" in transaction.catalog.by_name
    transaction.drop()
    assert "fresh" not in transaction.catalog.by_name
    assert transaction.write_set("op", "f", None) is None
    transaction.push()
    with pytest.raises(InvariantViolation, match="still open"):
        transaction.write_set("op", "f", None)


class OnlyNumbers:
    """A schema in which `a` must be a number."""

    def check_document(
        self, table: str, document: dict[str, Any], tables: Callable[[str], int | None]
    ) -> None:
        assert tables("messages") == 10_001
        if not isinstance(document.get("a"), int):
            raise SchemaViolation(f"{table}: a is not a number")


def test_the_schema_refuses_and_the_pending_one_notes(world: World) -> None:
    transaction = world.begin()
    transaction.schema = OnlyNumbers()
    with pytest.raises(SchemaViolation):
        transaction.insert("messages", {"a": "text"})
    transaction.schema, transaction.pending_schema = None, OnlyNumbers()
    transaction.push()
    transaction.insert("messages", {"a": "text"})
    transaction.drop()
    assert transaction.violations == []
    id = transaction.insert("messages", {"a": "text"})
    assert transaction.violations == [("messages", id, "messages: a is not a number")]


def test_a_write_set_lists_every_index_and_leaves_out_what_came_and_went(world: World) -> None:
    transaction = world.begin()
    transaction.delete(transaction.insert("messages", {}))
    old = transaction.first(plan("by_ab", ("a", 1)))
    assert old is not None
    transaction.patch(old["_id"], None, {"c": 1})
    encoded = world.commit(transaction, Replay("session", 4, b"result"))
    record = decode_entry(encode_entry([encoded], max_creation_time=0.0)).transactions[0]
    (write,) = record.writes
    assert (write.id, record.replay) == (old["_id"], Replay("session", 4, b"result"))
    table = world.store.catalog.by_name["messages"]
    assert sorted(index for index, _, _ in write.keys) == sorted(index.number for index in table.indexes)
    assert all(before == after for _, before, after in write.keys)
    assert len(written_keys(encoded)) == 1 + len(write.keys)


def test_a_replay_record_alone_is_a_write_set(world: World) -> None:
    write_set = world.begin().write_set("op", "f", Replay("s", 1, b"r"))
    assert write_set is not None
    world.store.accept(1, write_set)
    found = world.store.replay("s", 1)
    assert found is not None
    assert (found.result, found.seq) == (b"r", None)
    world.store.own_commit(9, 90, 1)
    found = world.store.replay("s", 1)
    assert found is not None
    assert (found.seq, found.ts) == (9, 90)
    assert world.store.replay("s", 2) is None


def test_calls_become_durable_in_the_order_in_which_they_were_accepted(world: World) -> None:
    for call in (7, 3, 5):
        write_set = world.begin().write_set("op", "f", Replay("s", call, b"r"))
        assert write_set is not None
        world.store.accept(call, write_set)

    def durable() -> list[int]:
        return [
            call for call in (7, 3, 5) if (found := world.store.replay("s", call)) and found.seq is not None
        ]

    world.store.own_commit(9, 90, 3)
    assert durable() == [7, 3]
    world.store.own_commit(10, 100, 5)
    assert durable() == [7, 3, 5]


def test_the_first_that_a_store_hears_of_may_be_accepted_writes() -> None:
    transaction = World().begin()
    id = transaction.insert("messages", {"n": 1})
    write_set = transaction.write_set("op", "f")
    assert write_set is not None
    successor = World()
    successor.store.accept(1, write_set)
    assert successor.begin().get(id) is not None
    successor.store.drop_speculation()
    assert "messages" not in successor.store.catalog.by_name


def test_numbers_of_tables_and_indexes_are_never_given_twice(world: World) -> None:
    transaction = world.begin()
    transaction.insert("first", {})
    first = transaction.catalog.by_name["first"]
    for index in first.indexes:
        transaction.system_delete("_index", index.id)
    transaction.system_delete("_tables", first.id)
    assert "first" not in transaction.catalog.by_name
    assert first.tablet not in transaction.catalog.by_tablet
    world.commit(transaction)
    transaction = world.begin()
    transaction.insert("second", {})
    second = transaction.catalog.by_name["second"]
    assert second.number > first.number
    assert {index.number for index in second.indexes}.isdisjoint(index.number for index in first.indexes)


def test_rows_of_others_do_not_mix_with_speculation(world: World) -> None:
    transaction = world.begin()
    transaction.insert("messages", {})
    write_set = transaction.write_set("op", "f", None)
    assert write_set is not None
    world.store.accept(1, write_set)
    with pytest.raises(InvariantViolation):
        world.store.row(9, 9, b"")


def test_a_row_that_cannot_be_read_stops_the_process(world: World) -> None:
    for entry in (b"nonsense", encode_entry([], max_creation_time=0.0).replace(b"\x01", b"\x02", 1)):
        world.store.row(9, 9, entry)
        with pytest.raises(InvariantViolation, match="a row of the log"):
            world.begin()
