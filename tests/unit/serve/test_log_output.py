"""Records of a server: written by a thread, dropped and counted when nobody takes them, readable in both forms."""

from __future__ import annotations

import json
import logging
import os
import re
from pathlib import Path
from typing import Any

import pytest

from convexpy.serve import log_output
from convexpy.serve.log_output import LogOutput, colored, human
from convexpy.serve.options import ConfigInvalid


def record(message: str) -> dict[str, Any]:
    return {"ts": "now", "level": "INFO", "type": "server", "logger": "test", "message": message}


def test_a_sink_gets_every_record_in_order(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    output = LogOutput("human", tmp_path / "sink.jsonl")
    for number in range(1000):
        output.write(record(str(number)))
    output.close()
    lines = (tmp_path / "sink.jsonl").read_text().splitlines()
    assert [json.loads(line)["message"] for line in lines] == [str(number) for number in range(1000)]
    assert capfd.readouterr().err.splitlines()[-1] == "now INFO  test: 999"


def test_colours_are_added_to_the_line_for_people() -> None:
    line = colored(record("[x]"))
    assert "\x1b[32mINFO\x1b[0m" in line
    assert re.sub(r"\x1b\[\d+m", "", line) == human(record("[x]"))


def test_a_reader_that_stands_still_costs_records_and_no_time(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(log_output, "RECORDS_WAITING_MAX", 10)
    reading, writing = os.pipe()
    write_all = log_output._write_all
    monkeypatch.setattr(log_output, "_write_all", lambda descriptor, data: write_all(writing, data))
    output = LogOutput("json", None)
    for _ in range(200):
        output.write(record("x" * 10_000))  # far more than a pipe holds
    text = b""
    while b'"gap"' not in text:
        text += os.read(reading, 1 << 20)
        output.write(record("once more"))
    output.close()
    os.close(writing)
    while part := os.read(reading, 1 << 20):
        text += part
    os.close(reading)
    records = [json.loads(line) for line in text.splitlines()]
    lost = sum(each["lost"] for each in records if each["type"] == "gap")
    assert lost > 0
    assert 0 < sum(each.get("message") == "x" * 10_000 for each in records) < 200


def test_a_sink_that_cannot_be_opened_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigInvalid, match="none"):
        LogOutput("json", tmp_path / "none" / "sink")


def test_python_logging_becomes_records(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    output = LogOutput("json", tmp_path / "sink")
    handler = log_output.RecordHandler(output)
    logger = logging.Logger("some.name")  # noqa: LOG001 - one that nobody else has
    logger.addHandler(handler)
    try:
        raise ValueError("told")
    except ValueError:
        logger.exception("it %s", "failed")
    output.close()
    (written,) = [json.loads(line) for line in (tmp_path / "sink").read_text().splitlines()]
    assert (written["level"], written["logger"], written["message"]) == ("ERROR", "some.name", "it failed")
    assert "ValueError: told" in written["traceback"]
    assert "ValueError: told" in human(written)
