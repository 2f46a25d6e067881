"""Files that people wrote, in the encodings that editors and shells write: read where a mark says so, else named."""

from __future__ import annotations

import codecs
from collections.abc import Callable
from pathlib import Path

import pytest

from convexpy.errors import Error
from convexpy.errors.texts import TextUnreadable, decode_text, encoding_of
from convexpy.limits import Knobs
from convexpy.project import read_env_file, update_env_file
from convexpy.project._config import read_config
from convexpy.serve.limits_file import read_limits
from convexpy.services.pushes.dependencies import _lines
from convexpy_cli.data.reading import documents_of
from convexpy_cli.functions.arguments import parse
from convexpy_cli.functions.call import identity_of

TEXT = "FIRST=é\r\nSECOND=2\r\n"
ENCODED = {
    "UTF-8": TEXT.encode(),
    "UTF-8 with a mark": codecs.BOM_UTF8 + TEXT.encode(),
    "UTF-16 little": codecs.BOM_UTF16_LE + TEXT.encode("utf-16-le"),
    "UTF-16 big": codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"),
    "UTF-32 little": codecs.BOM_UTF32_LE + TEXT.encode("utf-32-le"),
    "UTF-32 big": codecs.BOM_UTF32_BE + TEXT.encode("utf-32-be"),
}
UNREADABLE = {
    "Latin-1": (b"A=1\nB=caf\xe9\n", r"f:2: byte 0xe9 is not UTF-8; .*Latin-1"),
    "UTF-16 without a mark": ("A=1\nB=2\n".encode("utf-16-le"), r"f:1: .*UTF-16 without"),
    "half of UTF-16": (codecs.BOM_UTF16_LE + "A=1\n".encode("utf-16-le") + b"B", r"f:2: .*UTF-16"),
    "binary": (b"\x89PNG\r\n\x1a\n\0\0", r"f:1: "),
}


@pytest.mark.parametrize("kind", ENCODED)
def test_a_mark_says_what_the_encoding_is_and_swallows_nothing(kind: str, tmp_path: Path) -> None:
    assert decode_text(ENCODED[kind], "f") == TEXT
    assert encoding_of(ENCODED[kind]).encode(TEXT) == ENCODED[kind]
    file = tmp_path / ".env"
    file.write_bytes(ENCODED[kind])
    assert read_env_file(file) == {"FIRST": "é", "SECOND": "2"}
    assert not update_env_file(file, {"FIRST": "é"})
    assert update_env_file(file, {"FIRST": "ä", "THIRD": "3"})
    new = TEXT.replace("é", "'ä'") + "THIRD=3\r\n"
    assert file.read_bytes() == encoding_of(ENCODED[kind]).encode(new)


@pytest.mark.parametrize("kind", UNREADABLE)
def test_what_is_no_text_is_named_with_line_and_encoding(kind: str, tmp_path: Path) -> None:
    data, said = UNREADABLE[kind]
    with pytest.raises(TextUnreadable, match=said) as refused:
        decode_text(data, "f")
    assert refused.value.location is not None
    assert refused.value.hint
    file = tmp_path / "f"
    file.write_bytes(data)
    for change in ({"A": "1"}, {"NEW": "x"}):
        with pytest.raises(TextUnreadable):
            update_env_file(file, change)
    assert file.read_bytes() == data


def config(folder: Path, data: bytes) -> object:
    (folder / "convexpy.toml").write_bytes(data)
    return read_config(folder)


def limits(folder: Path, data: bytes) -> object:
    (folder / "limits.toml").write_bytes(data)
    return read_limits(folder / "limits.toml", Knobs())


@pytest.mark.parametrize("read", [config, limits])
def test_toml_is_utf8_with_a_mark_or_without(read: Callable[[Path, bytes], object], tmp_path: Path) -> None:
    text = "" if read is config else "[limits]\nfunction-cpu-s = 3.0\n"
    assert read(tmp_path, codecs.BOM_UTF8 + text.encode()) == read(tmp_path, text.encode())
    for data in (codecs.BOM_UTF16_LE + text.encode("utf-16-le"), b"# caf\xe9\n" + text.encode()):
        with pytest.raises(Error, match=r"\.toml.*UTF-(8|16)") as refused:
            read(tmp_path, data)
        assert refused.value.hint


def test_requirements_are_read_as_pip_does(tmp_path: Path) -> None:
    file = tmp_path / "requirements.txt"
    for data in (
        b"one\ntwo",
        codecs.BOM_UTF8 + b"one\r\ntwo",
        codecs.BOM_UTF16_LE + "one\ntwo".encode("utf-16-le"),
    ):
        file.write_bytes(data)
        assert _lines(file) == ["one", "two"]
    file.write_bytes(b"one\n# caf\xe9")
    with pytest.raises(TextUnreadable, match=r"requirements\.txt:2"):
        _lines(file)


@pytest.mark.parametrize("mark", [b"", codecs.BOM_UTF8, codecs.BOM_UTF16_BE])
def test_arguments_documents_and_identities_from_files(mark: bytes, tmp_path: Path) -> None:
    file = tmp_path / "args.json"
    text = '{"name": "é"}'
    file.write_bytes(encoding_of(mark).encode(text))
    assert parse([f"@{file}"], None) == {"name": "é"}
    assert identity_of(f"@{file}") == {"name": "é"}
    assert documents_of(f"@{file}") == [{"name": "é"}]
    file.write_bytes(b'{"name":\n"\xe9"}')
    for work in (lambda text: parse([text], None), identity_of, documents_of):
        with pytest.raises(TextUnreadable, match=r"args\.json:2"):
            work(f"@{file}")
