"""JSON arrays and CSV: row by row, with places for what is wrong."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convexpy.snapshots import (
    Fault,
    SnapshotError,
    csv_types,
    guess_numbers,
    read_csv,
    read_json_array,
    write_csv,
)
from convexpy.snapshots import _json as json_module
from convexpy.values import Int64


def array(data: bytes) -> list[Any]:
    return [row for _, row in read_json_array(io.BytesIO(data), "a.json")]


PLAIN = st.dictionaries(
    st.from_regex(r"[a-z]{1,8}", fullmatch=True),
    st.none() | st.booleans() | st.text(max_size=30) | st.integers(-(2**53), 2**53) | st.lists(st.text(max_size=5), max_size=3),
    max_size=4,
)  # fmt: skip


@given(st.lists(PLAIN, max_size=6), st.sampled_from([None, 1, 4]), st.integers(1, 40))
def test_an_array_comes_out_as_it_is_whatever_the_pieces(
    documents: list[Any], indent: int | None, piece: int
) -> None:
    data = json.dumps(documents, indent=indent, ensure_ascii=False).encode()
    before, json_module.PIECE_BYTES = json_module.PIECE_BYTES, piece
    try:
        assert array(data) == documents
    finally:
        json_module.PIECE_BYTES = before


def test_lines_of_elements_are_known() -> None:
    rows = list(read_json_array(io.BytesIO(b'[\n {"a": 1},\n\n {"b": {"$x": 1}}\n]'), "a.json"))
    assert [line for line, _ in rows] == [2, 4]
    assert isinstance(rows[1][1], Fault)
    assert str(rows[1][1].place) == "a.json:4:2"


@pytest.mark.parametrize(
    "data",
    [
        b"", b"{}", b"[", b'[{"a":1}', b'[{"a":1} {"b":2}]', b'[{"a":1},]', b"[1]", b'[{"a":1}] x', b'[{"a":NaN}]',
        b'[{"a":"\xff"}]', b'[{"a":' + b"[" * 100_000, b'[{"a":"' + b"x" * 100,
    ],
)  # fmt: skip
def test_what_is_no_array_of_objects_is_refused(data: bytes) -> None:
    with pytest.raises(SnapshotError, match=r"^a\.json:\d+:\d+: "):
        array(data)


def rows_of(data: bytes, validator: Any = None, **given_: str) -> list[Any]:
    types = csv_types(validator, given_)
    types |= guess_numbers(io.BytesIO(data), "f.csv", types)
    return [row for _, row in read_csv(io.BytesIO(data), "f.csv", types)]


def fields(**types: Any) -> dict[str, Any]:
    value = {
        name: {"fieldType": {"type": kind} if isinstance(kind, str) else kind, "optional": False}
        for name, kind in types.items()
    }
    return {"type": "object", "value": value}


def test_the_schema_says_what_a_cell_is() -> None:
    data = b'zip,n,big,yes,tags,when\n0040,0040,9007199254740993,true,"[""a""]",\n'
    validator = fields(
        zip="string",
        n="number",
        big="bigint",
        yes="boolean",
        tags={"type": "array", "value": {"type": "string"}},
    )
    validator["value"]["when"] = {"fieldType": {"type": "number"}, "optional": True}
    (row,) = rows_of(data, validator)
    assert row == {"zip": "0040", "n": 40, "big": Int64(9007199254740993), "yes": True, "tags": ["a"]}
    assert type(row["big"]) is Int64


def test_without_a_schema_a_column_is_numbers_only_if_every_cell_is() -> None:
    rows = rows_of(b"a,b,c,d\n1,1,,x\n2.5,x,3,\n")
    assert rows == [{"a": 1, "b": "1", "d": "x"}, {"a": 2.5, "b": "x", "c": 3, "d": ""}]


def test_the_user_has_the_last_word() -> None:
    assert rows_of(b"a\n1\n", fields(a="number"), a="string") == [{"a": "1"}]
    with pytest.raises(SnapshotError, match="no type"):
        rows_of(b"a\n1\n", a="colour")


@pytest.mark.parametrize(
    ("kinds", "cell", "value"),
    [
        (["string", "number"], "12", 12),
        (["string", "number"], "x", "x"),
        (["string", "null"], "", None),
        (["boolean", "string"], "TRUE", True),
        (["id", "null"], "null", None),
    ],
)
def test_a_union_takes_the_narrowest_member(kinds: list[str], cell: str, value: Any) -> None:
    union = {"type": "union", "value": [{"type": kind} for kind in kinds]}
    assert rows_of(f'a,b\n"{cell}",1\n'.encode(), fields(a=union)) == [{"a": value, "b": 1}]


def test_bad_rows_have_a_line_and_a_column_and_the_others_go_on() -> None:
    data = b'name,n\na,1\n"b\nc",x\nd\ne,5\n'
    rows = rows_of(data, fields(name="string", n="number"))
    assert [str(row.place) for row in rows if isinstance(row, Fault)] == ["f.csv:4:2", "f.csv:5:2"]
    assert [row["name"] for row in rows if not isinstance(row, Fault)] == ["a", "e"]


@pytest.mark.parametrize(
    "data", [b"", b"\n", b"a,a\n", b"a,\n", b"a\n\xff\n", b'a\n"x', b"a\n" + b'"' + b"x" * 3_000_000]
)
def test_a_file_that_is_no_csv_is_refused(data: bytes) -> None:
    with pytest.raises(SnapshotError, match=r"^f\.csv:\d+"):
        rows_of(data)


@given(
    st.lists(
        st.dictionaries(
            st.sampled_from("abc"),
            st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1),
        ),
        min_size=1,
        max_size=5,
    )
)
def test_texts_survive_csv(documents: list[dict[str, str]]) -> None:
    out = io.StringIO(newline="")
    write_csv(lambda: documents, out)
    read = list(csv.DictReader(io.StringIO(out.getvalue(), newline="")))
    assert [{name: row[name] for name in row if row[name]} for row in read] == documents
