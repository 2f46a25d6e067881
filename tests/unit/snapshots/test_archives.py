"""The zip of a snapshot: what is written is read again, and what is made to harm is refused before anything is used."""

from __future__ import annotations

import io
import json
import stat
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from convexpy.snapshots import (
    Archive,
    ArchiveLimits,
    Fault,
    SnapshotError,
    SnapshotWriter,
    read_json_lines,
)
from convexpy.values import Int64, canonical_number, encode_export

VALUES = st.recursive(
    st.none() | st.booleans() | st.text(max_size=20) | st.binary(max_size=20)
    | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False).map(canonical_number)
    | st.integers(-(2**63), 2**63 - 1).map(Int64),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.from_regex(r"[a-z]{1,6}", fullmatch=True), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip
DOCUMENTS = st.lists(
    st.dictionaries(st.from_regex(r"[a-z]{1,8}", fullmatch=True), VALUES, max_size=5), max_size=5
)


class Unseekable(io.RawIOBase):
    """A target such as a pipe."""

    def __init__(self) -> None:
        self.data = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.data += bytes(data)
        return len(data)


def documents_of(archive: Archive) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for table in archive.tables:
        with archive.open(table.path) as stream:
            rows = read_json_lines(stream, table.path, uniform=table.uniform)
            found[table.name] = [document for _, document in rows]
    return found


def in_order(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: in_order(value[name]) for name in sorted(value)}
    return [in_order(item) for item in value] if isinstance(value, list) else value


@pytest.mark.slow
@given(st.dictionaries(st.sampled_from(["users", "messages", "x"]), DOCUMENTS, min_size=1))
def test_what_is_written_to_a_stream_is_read_again(
    tmp_path_factory: pytest.TempPathFactory, tables: dict[str, list[dict[str, Any]]]
) -> None:
    target = Unseekable()
    writer = SnapshotWriter(target)  # type: ignore[arg-type]
    numbers = {name: 10_001 + at for at, name in enumerate(tables)}
    writer.numbers(numbers)
    for name, documents in tables.items():
        assert writer.table(name, map(encode_export, documents)) == len(documents)
    writer.close()
    path = tmp_path_factory.mktemp("zip") / "s.zip"
    path.write_bytes(target.data)
    with Archive(path) as archive:
        assert archive.numbers == numbers
        read = documents_of(archive)
    assert repr(in_order(read)) == repr(in_order(tables))  # repr tells Int64 from int, and -0.0 from 0


def test_stored_files_come_back_with_their_documents(tmp_path: Path) -> None:
    path = tmp_path / "s.zip"
    with path.open("wb") as target:
        writer = SnapshotWriter(target)
        line = json.dumps({"_id": "kg2abc", "sha256": None, "size": 3}) + "\n"
        writer.extra("_storage/documents.jsonl", line.encode())
        writer.close()
    again = SnapshotWriter.reopen(path)
    again.blob("_storage/kg2abc.txt", [b"a", b"bc"])
    again.close()
    with Archive(path) as archive:
        (file,) = archive.files()
        assert (file.path, file.size, file.document["size"]) == ("_storage/kg2abc.txt", 3, 3)
        with archive.open(file.path) as stream:
            assert stream.read() == b"abc"


# Hostile archives

Make = Callable[[zipfile.ZipFile], None]


def entry(name: str, data: bytes = b"{}\n", **attributes: Any) -> Make:
    def make(archive: zipfile.ZipFile) -> None:
        info = zipfile.ZipInfo("placeholder")
        for attribute, value in attributes.items():
            setattr(info, attribute, value)
        info.filename = info.orig_filename = name
        archive.writestr(info, data)

    return make


def twice(archive: zipfile.ZipFile) -> None:
    archive.writestr("t/documents.jsonl", "{}\n")
    with pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr("t/documents.jsonl", "{}\n")


HOSTILE: dict[str, Make] = {
    "traversal": entry("../../etc/cron.d/evil"),
    "traversal inside": entry("t/../../documents.jsonl"),
    "absolute": entry("/etc/passwd"),
    "drive": entry("C:/windows/x"),
    "backslash": entry("..\\x"),
    "dot": entry("./t/documents.jsonl"),
    "empty part": entry("t//documents.jsonl"),
    "control character": entry("t\n/documents.jsonl"),
    "deep": entry("/".join("a" * 20) + "/documents.jsonl"),
    "link": entry("t/documents.jsonl", b"/etc/passwd", external_attr=(stat.S_IFLNK | 0o777) << 16),
    "device": entry("t/documents.jsonl", b"", external_attr=(stat.S_IFCHR | 0o666) << 16),
    "duplicate": twice,
    "bomb": entry("t/documents.jsonl", b" " * (9 * 2**20), compress_type=zipfile.ZIP_DEFLATED),
    "unknown compression": entry("t/documents.jsonl", b"{}" * 100, compress_type=zipfile.ZIP_LZMA),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_archive_is_refused_before_anything_is_used(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "evil.zip"
    with zipfile.ZipFile(path, "w") as archive:
        HOSTILE[kind](archive)
    with pytest.raises(SnapshotError) as refused:
        Archive(path)
    assert refused.value.code == "SnapshotRefused"
    assert list(tmp_path.iterdir()) == [path]


def patched(path: Path, change: Callable[[bytearray, int, int], None]) -> None:
    """Change the local and the central header of the one entry, as no zip tool would."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("t/documents.jsonl", b'{"a":1}\n' * 2000)
    data = bytearray(path.read_bytes())
    change(data, data.index(b"PK\x03\x04"), data.index(b"PK\x01\x02"))
    path.write_bytes(data)


def test_an_encrypted_entry_is_refused(tmp_path: Path) -> None:
    def encrypt(data: bytearray, local: int, central: int) -> None:
        data[local + 6] |= 1
        data[central + 8] |= 1

    patched(tmp_path / "e.zip", encrypt)
    with pytest.raises(SnapshotError, match="encrypted"):
        Archive(tmp_path / "e.zip")


def read_all(path: Path) -> None:
    with Archive(path) as archive, archive.open("t/documents.jsonl") as stream:
        while stream.read(1000):
            pass


@pytest.mark.parametrize("declared", [10, 15_999, 16_001, 500_000])
def test_an_entry_never_gives_more_or_less_than_it_declares(tmp_path: Path, declared: int) -> None:
    def lie(data: bytearray, local: int, central: int) -> None:
        struct.pack_into("<I", data, local + 22, declared)
        struct.pack_into("<I", data, central + 24, declared)

    path = tmp_path / "e.zip"
    patched(path, lie)
    with pytest.raises(SnapshotError):
        read_all(path)


def test_entries_that_share_their_bytes_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "overlap.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/documents.jsonl", b"{}\n" * 100)
        archive.writestr("b/documents.jsonl", b"{}\n" * 100)
    data = bytearray(path.read_bytes())
    second = data.index(b"PK\x01\x02", data.index(b"PK\x01\x02") + 1)
    struct.pack_into("<I", data, second + 42, 0)
    path.write_bytes(data)
    with pytest.raises(SnapshotError, match="shares its bytes"):
        Archive(path)


def test_bounds_hold_for_the_archive_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "many.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(10):
            archive.writestr(f"t{number}/documents.jsonl", b"x" * 1000)
    Archive(path).close()
    for limits in (ArchiveLimits(entries=9), ArchiveLimits(total_bytes=9_999)):
        with pytest.raises(SnapshotError) as refused:
            Archive(path, limits)
        assert refused.value.code == "SnapshotRefused"


@pytest.mark.parametrize("data", [b"", b"PK", b"no zip at all", b"PK\x05\x06" + b"\xff" * 18])
def test_what_is_no_zip_says_so(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "x.zip"
    path.write_bytes(data)
    with pytest.raises(SnapshotError):
        Archive(path)


@given(st.data())
def test_a_damaged_archive_is_an_error_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    target = io.BytesIO()
    writer = SnapshotWriter(target)
    writer.numbers({"t": 10_001})
    writer.table("t", [b'{"a":1}'] * 20)
    writer.close()
    content = bytearray(target.getvalue())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("zip") / "s.zip"
    path.write_bytes(content[: data.draw(st.integers(len(content) // 2, len(content)))])
    try:
        with Archive(path) as archive:
            documents_of(archive)
            list(archive.files())
    except SnapshotError:
        pass


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("_tables", '{"name":"t","id":"x"}'),
        ("_tables", '{"name":"t","id":1}\n{"name":"u","id":1}'),
        ("_tables", "[]"),
    ],
)
def test_numbers_of_tables_that_make_no_sense_are_refused(tmp_path: Path, name: str, line: str) -> None:
    path = tmp_path / "n.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{name}/documents.jsonl", line)
    with pytest.raises(SnapshotError):
        Archive(path)


def test_the_marker_decides_what_an_integer_is(tmp_path: Path) -> None:
    path = tmp_path / "m.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for table in ("old", "new"):
            archive.writestr(f"{table}/documents.jsonl", '{"n":1}\n')
        archive.writestr("new/generated_schema.jsonl", '"uniform"\n')
        archive.writestr("old/generated_schema.jsonl", '{"n":"int64"}\n')
    with Archive(path) as archive:
        found = documents_of(archive)
    assert type(found["old"][0]["n"]) is int
    assert type(found["new"][0]["n"]) is Int64


def test_a_line_that_is_no_object_is_a_fault_with_its_place() -> None:
    data = b'\xef\xbb\xbf{"a":1}\n\n[1]\n{"a":}\n{"b":2}'
    rows = list(read_json_lines(io.BytesIO(data), "f.jsonl"))
    assert [line for line, _ in rows] == [1, 3, 4, 5]
    faults = [str(row.place) for _, row in rows if isinstance(row, Fault)]
    assert faults == ["f.jsonl:3:1", "f.jsonl:4:6"]


PARTS = {
    "_tables/documents.jsonl": '{"name":"notes","id":10001}\n',
    "notes/documents.jsonl": '{"n":1}\n',
    "notes/generated_schema.jsonl": '"uniform"\n',
    "_storage/documents.jsonl": '{"_id":"a"}\n',
    "_storage/a.txt": "hello",
    "README.md": "read me",
}


def zipped(path: Path, parts: dict[str, str]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in parts.items():
            archive.writestr(name, text)
    return path


@pytest.mark.parametrize("folder", ["", "snapshot_1/", "a b/c/d/", "notes/", "_tables/", "Résumé/"])
@pytest.mark.parametrize(
    "beside",
    [
        {},
        {"__MACOSX/._notes": "x", "__MACOSX/snapshot_1/notes/._documents.jsonl": "x", ".DS_Store": "x"},
        {"list.txt": "x"},
    ],
    ids=["alone", "macOS", "a file beside"],
)
def test_a_snapshot_in_a_folder_of_its_zip_is_read(
    tmp_path: Path, folder: str, beside: dict[str, str]
) -> None:
    path = zipped(tmp_path / "s.zip", {**beside, **{folder + name: text for name, text in PARTS.items()}})
    with Archive(path) as archive:
        assert documents_of(archive) == {"notes": [{"n": Int64(1)}]}
        assert archive.numbers == {"notes": 10001}
        (file,) = archive.files()
        with archive.open(file.path) as stream:
            assert stream.read() == b"hello"


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ({}, "no table"),
        ({"README.md": "x"}, "no table"),
        ({"_tables/documents.jsonl": ""}, "no table"),
        ({"_storage/documents.jsonl": ""}, "no table"),
        ({"notes.jsonl": '{"n":1}'}, "no table"),
        ({"notes/Documents.jsonl": '{"n":1}'}, "no table"),
        ({"documents.jsonl": '{"n":1}'}, "no table"),
        ({"_storage/documents.jsonl": '{"_id":"a"}', "_storage/a": "x"}, "no table"),
        ({**PARTS, "_tables/documents.jsonl": '{"name":"gone","id":10002}'}, "'gone'"),
        ({**PARTS, "old/notes/documents.jsonl": "{}"}, "several snapshots"),
        ({"a/notes/documents.jsonl": "{}", "b/notes/documents.jsonl": "{}"}, "several snapshots"),
        ({"_components/x/notes/documents.jsonl": "{}"}, "components"),
        ({"p/_components/x/notes/documents.jsonl": "{}", "p/notes/documents.jsonl": "{}"}, "components"),
    ],
)
def test_what_is_not_recognised_is_refused(tmp_path: Path, parts: dict[str, str], said: str) -> None:
    with (
        pytest.raises(SnapshotError, match=said) as refused,
        Archive(zipped(tmp_path / "s.zip", parts)) as archive,
    ):
        archive.check_complete()
    assert refused.value.hint


def old_export(path: Path, shape: str, rows: list[Any], contexts: dict[str, Any]) -> Path:
    lines = [json.dumps(shape), *(json.dumps({id: context}) for id, context in contexts.items())]
    return zipped(
        path,
        {
            "_tables/documents.jsonl": '{"name":"t","id":10001}\n',
            "t/documents.jsonl": "".join(json.dumps(row) + "\n" for row in rows),
            "t/generated_schema.jsonl": "\n".join(lines) + "\n",
        },
    )


def old_rows(path: Path) -> list[Any]:
    with Archive(path) as archive:
        (table,) = archive.tables
        with archive.open(table.path) as stream:
            return [
                row for _, row in read_json_lines(stream, table.path, uniform=table.uniform, old=table.old)
            ]


def test_older_official_exports_are_read(tmp_path: Path) -> None:
    """There int64s and bytes are strings, and a shape of the table tells which."""
    shape = (
        '{"_id": id<10001>, "_creationTime": normalfloat64, "n": int64, "b"?: bytes, "s": string | null, '
        '"big"?: inf | normalfloat64, "list": array<int64 | null>, "kind": "a" | "b", '
        '"map"?: record<field_name, {"x": int64}>, "mixed"?: int64 | string, "any"?: unknown, "yes"?: boolean}'
    )
    plain = {
        "_id": "a",
        "_creationTime": 1.5,
        "n": "9007199254740993",
        "s": "5",
        "list": ["1", None],
        "kind": "a",
    }
    rows = [
        plain,
        {
            **plain,
            "_id": "b",
            "b": "AAE=",
            "s": None,
            "big": "-Infinity",
            "map": {"k": {"x": "7"}},
            "yes": True,
        },
        {**plain, "_id": "c", "mixed": "5", "any": ["5", {"x": "NaN"}]},
        {**plain, "_id": "d", "mixed": "5", "any": ["5", {"x": "5"}]},
    ]
    contexts = {
        "c": {"mixed": "int64", "any": ["bytes", {"x": {"$float64NaN": "AAAAAAAA+H8="}}]},
    }
    rows[2]["any"][0] = "AAE="
    found = old_rows(old_export(tmp_path / "old.zip", shape, rows, contexts))
    assert found[0] == {**plain, "n": Int64(9007199254740993), "list": [Int64(1), None]}
    assert type(found[0]["n"]) is Int64
    assert (found[1]["b"], found[1]["s"], found[1]["big"]) == (b"\0\1", None, float("-inf"))
    assert found[1]["map"] == {"k": {"x": Int64(7)}}
    assert type(found[1]["map"]["k"]["x"]) is Int64
    assert type(found[2]["mixed"]) is Int64
    assert found[2]["any"][0] == b"\0\1"
    assert found[2]["any"][1]["x"] != found[2]["any"][1]["x"]
    assert (found[3]["mixed"], found[3]["any"]) == ("5", ["5", {"x": "5"}])


@pytest.mark.parametrize(
    "shape", ["", "int65", "{", '{"n": int64', "array<int64", "{n: int64}", "int64 |", "a" * 100_000]
)
def test_a_shape_of_no_known_form_is_refused(tmp_path: Path, shape: str) -> None:
    with pytest.raises(SnapshotError, match="generated_schema"):
        old_rows(old_export(tmp_path / "old.zip", shape, [], {}))


@pytest.mark.parametrize("value", ["x", "1.5", "99999999999999999999", ""])
def test_what_does_not_fit_its_shape_is_a_fault(tmp_path: Path, value: str) -> None:
    (row,) = old_rows(old_export(tmp_path / "old.zip", '{"n": int64}', [{"n": value}], {}))
    assert isinstance(row, Fault)
    assert str(row.place) == "t/documents.jsonl:1:1"
