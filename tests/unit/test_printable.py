"""Text from outside in terminals and line logs: nothing of it is obeyed, a line stays a line."""

from __future__ import annotations

import json
import logging

import pytest
from hypothesis import given, strategies as st

from convexpy.printable import indented, json_printable, one_line, printable
from convexpy.serve.log_output import human

HOSTILE = [
    chr(code) for code in [*range(32), *range(0x7F, 0xA0), 0x200E, 0x202E, 0x2028, 0x2066, 0xD800, 0xDFFF]
]


@pytest.mark.parametrize("character", HOSTILE, ids=lambda each: f"{ord(each):04x}")
def test_control_characters_are_escaped(character: str) -> None:
    text = f"a{character}b"
    assert one_line(text).isprintable()
    assert printable(text).replace("\n", "").replace("\t", "").isprintable()
    assert json.loads(json_printable(json.dumps(text, ensure_ascii=False))) == text
    assert json_printable(json.dumps(text, ensure_ascii=False)).isprintable()


@given(st.text())
def test_a_line_stays_a_line_and_continued_lines_are_indented(text: str) -> None:
    assert len(one_line(text).splitlines()) <= 1
    first, *rest = indented(text).split("\n")
    assert all(line.startswith("    ") for line in rest)
    assert first == printable(text.replace("\r\n", "\n")).split("\n")[0]


def test_what_people_write_stays_as_it_is() -> None:
    text = "Grüße, 日本語, 👩‍🔬, \u05e9\u05dc\u05d5\u05dd\n\tindented"
    assert printable(text) == text
    assert printable("\x1b]0;title\x07") == "\\x1b]0;title\\x07"
    assert one_line("a\r\nb\tc") == "a\\r\\nb\\tc"


@pytest.mark.parametrize(
    "record",
    [
        {"type": "access", "method": "GET", "path": "/x\n\x1b[2J", "status": 404, "ms": 1, "bytes": None, "client": None},
        {
            "type": "function", "kind": "query", "function": "x\r\ny", "status": "error", "ms": 1, "requestId": "r",
            "lines": [{"level": "LOG", "text": "a\nINFO forged"}], "error": "E: \x9b2J\nINFO forged",
        },
        {"type": "server", "logger": "l", "message": "m\nINFO forged\x1b", "traceback": "Traceback\n  INFO forged"},
    ],
)  # fmt: skip
def test_records_of_the_server_begin_lines_only_with_their_time(record: dict[str, object]) -> None:
    first, *rest = human({"ts": "TIME", "level": "INFO", **record}).split("\n")
    assert first.startswith("TIME INFO")
    assert all(line.startswith("    ") and line.isprintable() for line in rest)
    assert first.isprintable()


def test_the_log_of_a_development_server_has_one_line_for_a_message(
    capfd: pytest.CaptureFixture[str],
) -> None:
    from convexpy.serve.log_output import plain_logging

    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    root.handlers[:] = []
    try:
        plain_logging()
        logging.getLogger("test").warning("path %s", "a\n2026-01-01 forged\x1b[2J")
    finally:
        root.handlers[:] = before
        root.setLevel(level)
    assert capfd.readouterr().err.count("\n") == 1
