"""What a swap of tablets tells readers: an index that is given up touches all who read in it, a hidden one nobody."""

from __future__ import annotations

import msgspec
import pytest

from convexpy.database import WHOLE_INDEX, ReadSetIndex, TransactionRecord, Write, written_keys
from convexpy.database._entries import FILLING
from convexpy.values import encode_document, encode_key


def blob(function: str, *writes: Write, operation: str = "op") -> bytes:
    return msgspec.msgpack.encode(TransactionRecord(operation, function, writes, None))


def catalog_write(tablet: int, state: str) -> Write:
    document = {
        "_id": "x",
        "_creationTime": 1,
        "state": state,
        "tablet": 10_005,
        "number": 10_007,
        "name": "t",
    }
    return Write(tablet, "x", encode_document(document), [])


@pytest.mark.parametrize(("tablet", "index"), [(1, -10_005), (2, 10_007)])
def test_a_table_or_an_index_that_is_given_up_is_said_as_a_whole(tablet: int, index: int) -> None:
    keys = written_keys(blob("_system/imports:swap", catalog_write(tablet, "deleting")))
    assert (index, WHOLE_INDEX) in keys
    for state in ("active", "ready", "building", "hidden"):
        keys = written_keys(blob("f", catalog_write(tablet, state)))
        assert all(key != WHOLE_INDEX for _, key in keys)


def test_filling_a_hidden_tablet_touches_nobody() -> None:
    write = Write(10_005, "id", b"{}", [(10_006, None, b"\x05")])
    assert written_keys(blob(FILLING, write)) == []
    assert written_keys(blob("app:f", write)) != []


def test_a_request_id_that_names_the_function_hides_nothing() -> None:
    write = Write(10_005, "id", b"{}", [(10_006, None, b"\x05")])
    assert written_keys(blob("app:f", write, operation=FILLING)) != []


def test_every_reader_of_an_index_is_touched_by_the_whole() -> None:
    index = ReadSetIndex()
    point, prefix = encode_key(["a", 1]), encode_key(["a"])
    index.put(1, [(7, point, point + b"\0")])
    index.put(2, [(7, prefix, None)])
    index.put(3, [(8, b"", None), (-5, b"id", b"id\0")])
    index.put(4, [(7, b"", b"\xff")])
    assert index.touched([(7, WHOLE_INDEX)]) == {1, 2, 4}
    assert index.touched([(-5, WHOLE_INDEX)]) == {3}
    assert index.touched([(9, WHOLE_INDEX)]) == set()
