"""JSON arrays and CSV: row by row, with places for what is wrong."""

from __future__ import annotations

import codecs
import csv
import io
import json
from typing import Any

import pytest
from hypothesis import example, given, strategies as st

from convexpy.snapshots import (
    Fault,
    SnapshotError,
    _json as json_module,
    csv_types,
    guess_types,
    read_csv,
    read_json_array,
    read_json_lines,
    write_csv,
)
from convexpy.values import Int64, canonical_number, encode_wire


def array(data: bytes) -> list[Any]:
    return [row for _, row in read_json_array(io.BytesIO(data), "a.json")]


PLAIN = st.dictionaries(
    st.from_regex(r"[a-z]{1,8}", fullmatch=True),
    st.none() | st.booleans() | st.text(max_size=30) | st.integers(-(2**53), 2**53) | st.lists(st.text(max_size=5), max_size=3),
    max_size=4,
)  # fmt: skip


@pytest.mark.slow
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


def rows_of(data: bytes, validator: Any = None, *, delimiter: str | None = None, **given_: str) -> list[Any]:
    types = csv_types(validator, given_)
    types |= guess_types(io.BytesIO(data), "f.csv", types, delimiter)
    return [row for _, row in read_csv(io.BytesIO(data), "f.csv", types, delimiter)]


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
    assert rows == [{"a": 1, "b": "1", "d": "x"}, {"a": 2.5, "b": "x", "c": 3}]


def test_the_user_has_the_last_word() -> None:
    assert rows_of(b"a\n1\n", fields(a="number"), a="string") == [{"a": "1"}]
    with pytest.raises(SnapshotError, match="is not a column type"):
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
    "data", [b"", b"\n", b"a,a\n", b",\n", b"a\n\xff\n", b'a\n"x', b"a\n" + b'"' + b"x" * 3_000_000]
)
def test_a_file_that_is_no_csv_is_refused(data: bytes) -> None:
    with pytest.raises(SnapshotError, match=r"^f\.csv:\d+"):
        rows_of(data)


VALUES = st.recursive(
    st.none() | st.booleans() | st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=8) | st.binary(max_size=9)
    | st.sampled_from(["", "40", "0040", "1e5", " 7", "null", "true", '"', '"x"', "{}", "[", "NaN", "-0", "9007199254740993"])
    | st.floats().map(canonical_number) | st.integers(-(2**53), 2**53)
    | st.integers(-(2**63), 2**63 - 1).map(Int64),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("xyz"), inner, max_size=3),
    max_leaves=4,
)  # fmt: skip


def described(value: Any) -> dict[str, Any]:
    """The validator of exactly this kind of value."""
    if isinstance(value, Int64):
        return {"type": "bigint"}
    kinds = {
        type(None): "null",
        bool: "boolean",
        int: "number",
        float: "number",
        str: "string",
        bytes: "bytes",
    }
    return {"type": kinds.get(type(value), "any")}


def same(found: Any, wanted: Any) -> bool:
    """Equal in value and kind; NaN is NaN, and -0.0 is not 0."""
    return encode_wire(found) == encode_wire(wanted)


@pytest.mark.slow
@given(st.lists(st.dictionaries(st.sampled_from("abc"), VALUES), min_size=1, max_size=5), st.booleans())
@example([{"a": "0040"}, {"a": "7"}], False)
@example([{"a": None}, {"a": ""}, {"a": "null"}, {}], False)
@example([{"a": 40}, {"a": "40"}, {"a": "x"}, {"a": None}], False)
def test_what_is_written_comes_back_as_it_was(documents: list[dict[str, Any]], with_schema: bool) -> None:
    out = io.StringIO(newline="")
    wanted = [{"_id": "x", **document} for document in documents]
    write_csv(lambda: wanted, out)
    validator = None
    if with_schema:
        validator = {"type": "object", "value": {}}
        for name in {name for document in documents for name in document}:
            kinds: list[dict[str, Any]] = []
            for document in documents:
                if name in document and described(document[name]) not in kinds:
                    kinds.append(described(document[name]))
            type_ = kinds[0] if len(kinds) == 1 else {"type": "union", "value": kinds}
            validator["value"][name] = {"fieldType": type_, "optional": True}
    found = rows_of(out.getvalue().encode(), validator)
    assert [str(row) for row in found if isinstance(row, Fault)] == []
    assert len(found) == len(wanted)
    for got, want in zip(found, wanted, strict=True):
        assert same(got, want), (got, want, out.getvalue())


def test_plain_text_is_written_plainly() -> None:
    out = io.StringIO(newline="")
    write_csv(lambda: [{"_id": "x", "a": 'Ada, "q"', "b": None, "n": 1.5}, {"_id": "y", "b": "text"}], out)
    rows = list(csv.DictReader(io.StringIO(out.getvalue(), newline="")))
    assert [row["a"] for row in rows] == ['Ada, "q"', ""]
    assert [row["b"] for row in rows] == ["null", "text"]
    assert [row["n"] for row in rows] == ["1.5", ""]


@pytest.mark.parametrize(
    "text",
    [
        "a;b\n1;x,y\n", "a\tb\n1\tx,y\n", "a|b\n1|x,y\n", 'sep=;\na;b\n1;"x,y"\n', '"sep=;"\r\na;b\r\n1;"x,y"\r\n',
        'a,b\n1,"x,y"\n', '"a","b"\n1,"x,y"\n',
        'a,b,,\n\n1,"x,y",,\n,,,\n  \n,,,,,,\n',
        "\ufeffa;b\n1;x,y\n",
    ],
)  # fmt: skip
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_what_spreadsheets_write_is_read(text: str, encoding: str) -> None:
    if text[0] == "\ufeff" and encoding != "utf-8":
        pytest.skip("one mark is enough")
    assert rows_of(text.encode(encoding)) == [{"a": 1, "b": "x,y"}]


def test_the_delimiter_may_be_given() -> None:
    assert rows_of(b"a,b:c\n1:2\n", delimiter=":") == [{"a,b": 1, "c": 2}]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"a,caf\xc3\xa9\n1,2\n", r"f\.csv:1:2: .*valid field name"),
        (b"$a,b\n1,2\n", r"f\.csv:1:1: .*valid field name"),
        (b"a,_b\n1,2\n", r"f\.csv:1:2: .*underscore"),
        (b"a," + b"x" * 2000 + b"\n1,2\n", r"f\.csv:1:2: .*valid field name"),
        (b"sep=;\na;\xc3\xa9\n", r"f\.csv:2:2: .*valid field name"),
        (b"a,b\n1,2\n\ncaf\xe9,1\n", r"f\.csv:4: byte 0xe9 is not UTF-8; .*Latin-1"),
        ("a,b\n1,2\n".encode("utf-16-le"), r"f\.csv:1: .*UTF-16 without"),
        (codecs.BOM_UTF16_LE + "a,b\n1,2\n".encode("utf-16-le") + b"x", r"f\.csv:\d: .*UTF-16"),
        (b",,\n1,2,3\n", r"f\.csv:1: a CSV file begins"),
    ],
)
def test_headers_and_encodings_that_are_wrong_are_refused_with_their_place(data: bytes, said: str) -> None:
    with pytest.raises(SnapshotError, match=f"^{said}"):
        rows_of(data)


def test_cells_without_a_column_are_faults() -> None:
    rows = rows_of(b"a,,c\n1,,3\n1,2,3\n1,,3,,\n1,,3,4\n")
    assert [row if isinstance(row, dict) else str(row.place) for row in rows] == [
        {"a": 1, "c": 3}, "f.csv:3:2", {"a": 1, "c": 3}, "f.csv:5:4",
    ]  # fmt: skip


LONG = 9007199254740993


def told(read: Any, data: bytes) -> str:
    """What is said of the first row: as its fault, or by an end of it all."""
    try:
        ((_, row),) = read(io.BytesIO(data), "f")
    except SnapshotError as error:
        return error.message
    return str(row)


def test_numbers_that_a_double_cannot_hold_are_refused() -> None:
    (fault,) = rows_of(f"n\n{LONG}\n".encode(), fields(n="number"))
    assert "cannot hold 9007199254740993" in str(fault)
    (fault,) = rows_of(b"n\n1e999\n", fields(n="number"))
    assert "cannot hold" in str(fault)
    assert rows_of(f"n\n{LONG}\n".encode()) == [{"n": str(LONG)}]
    for read in (read_json_lines, read_json_array):
        brackets = (b"[", b"]") if read is read_json_array else (b"", b"")
        for text in (f'{{"n":{LONG}}}', f'{{"n":[1,-{LONG}]}}', f'{{"n":{"9" * 400}}}'):
            assert "cannot hold" in told(read, brackets[0] + text.encode() + brackets[1])
        fine = f'{{"n":{LONG - 1},"s":"{LONG}","i":{{"$integer":"AQAAAAAAAAA="}}}}'.encode()
        ((_, row),) = read(io.BytesIO(brackets[0] + fine + brackets[1]), "f")
        assert row == {"n": LONG - 1, "s": str(LONG), "i": Int64(1)}


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32"])
@pytest.mark.parametrize("read", [read_json_lines, read_json_array])
def test_json_that_is_not_utf8_is_named(read: Any, encoding: str) -> None:
    with pytest.raises(SnapshotError, match=r"^f:1: .*UTF-16 or UTF-32"):
        list(read(io.BytesIO('[{"a":1}]'.encode(encoding)), "f"))
