"""`convexpy data` against a real server: reading through indexes and conditions, and changing documents."""

from __future__ import annotations

import csv
import io
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from support.processes import ServerProcess
from support.terminal import Terminal

pytestmark = pytest.mark.slow
APP = {
    "schema.py": """
from convexpy import define_schema, define_table, v
schema = define_schema({
    "jobs": define_table({"name": v.string(), "status": v.string(), "size": v.number(), "big": v.optional(v.int64())})
        .index("by_status", ["status", "size"]),
    "empty": define_table({"x": v.string()}),
})
""",
}
JOBS = [{"name": f"job {n}", "status": "failed" if n % 3 == 0 else "done", "size": n} for n in range(12)]


@pytest.fixture
def here(run: Any, project: Path, server: ServerProcess) -> Any:
    """Run a command against a server with twelve jobs."""
    server.push_ok(APP)

    def run_here(*words: str, **expected: Any) -> Any:
        return run("--url", server.url, "--admin-key", server.admin_key, *words, **expected)

    Path("jobs.json").write_text(json.dumps(JOBS))
    assert len(run_here("data", "insert", "jobs", "@jobs.json", "--json").json()) == 12
    return run_here


def names(result: Any) -> list[str]:
    return [each["name"] for each in result.json()]


def test_tables_are_listed_with_what_is_in_them(here: Any) -> None:
    jobs, empty = sorted(here("data", "--json").json(), key=lambda each: -each["documents"])
    assert (jobs["name"], jobs["documents"], empty["documents"]) == ("jobs", 12, 0)
    assert jobs["sizeBytes"] > 12 * 20
    assert jobs["indexes"] == [{"name": "by_status", "fields": ["status", "size"], "state": "ready"}]
    assert "by_status" in here("data").stdout


def test_documents_are_read_through_an_index(here: Any) -> None:
    words = ("data", "jobs", "--index", "by_status", "--eq", "status=failed", "--order", "asc", "--json")
    assert names(here(*words)) == ["job 0", "job 3", "job 6", "job 9"]
    assert names(here(*words, "--gt", "size=0", "--lte", "size=6")) == ["job 3", "job 6"]
    assert names(here(*words, "--gte", "size=6", "--limit", "1")) == ["job 6"]
    assert here("data", "jobs", "--eq", "status=failed", expect=2).stdout == ""
    assert (
        "InvalidIndexRange" in here("data", "jobs", "--index", "by_status", "--eq", "size=3", expect=2).stderr
    )
    assert (
        here("data", "jobs", "--index", "by_sttus", "--json", expect=2).error()["code"]
        == "IndexNotFoundError"
    )
    assert (
        "is not a number"
        in here(
            "data", "jobs", "--index", "by_status", "--eq", "status=failed", "--gt", "size=x", expect=2
        ).stderr
    )


def test_a_condition_is_looked_for_in_all_pages(here: Any, server: ServerProcess) -> None:
    assert names(here("data", "jobs", "--where", 'status == "done" and size > 9', "--json")) == [
        "job 11",
        "job 10",
    ]
    assert here("data", "jobs", "--where", "size === 3", "--json", expect=2).error()["code"] == "BadCondition"
    for part in range(0, 33_000, 4000):
        documents = [{"x": str(n)} for n in range(part, part + 4000)]
        here("data", "insert", "empty", json.dumps(documents))
    # The one document lies beyond what one page may look at.
    found = here("data", "empty", "--where", 'x == "1"', "--json").json()
    assert [each["x"] for each in found] == ["1"]
    assert here("data", "--json").json()[0]["documents"] == 36_000


def test_what_follows_is_said_and_reached(here: Any) -> None:
    first = here("data", "jobs", "--limit", "5", "--json")
    cursor = first.stderr.partition("--cursor ")[2].split(",")[0]
    second = here("data", "jobs", "--limit", "50", "--cursor", cursor, "--json")
    assert names(first) + names(second) == [f"job {n}" for n in reversed(range(12))]
    lines = here("data", "jobs", "--all", "--format", "jsonl", "--order", "asc").stdout.splitlines()
    assert [json.loads(line)["size"] for line in lines] == list(range(12))


def test_people_read_times_numbers_and_the_schema_order(here: Any) -> None:
    here(
        "data",
        "insert",
        "jobs",
        '{"name": "x", "status": "new", "size": 1, "big": {"$integer": "BQAAAAAAAAA="}}',
    )
    id, name, status, size, big, created = here("data", "jobs", "--limit", "1").stdout.strip().split("\t")
    assert (name, status, size, big, len(id)) == ("x", "new", "1", "5", 32)
    assert datetime.now(UTC) - datetime.fromisoformat(created) < timedelta(hours=1)
    for bound in (created, "1h"):
        after = ("--index", "by_creation_time", "--gte", f"_creationTime={bound}")
        assert names(here("data", "jobs", *after, "--limit", "1", "--json")) == ["x"]
    header = here("data", "jobs", "--format", "csv", "--limit", "1").stdout.splitlines()[0]
    assert header == "_id,name,status,size,big,_creationTime"


@pytest.mark.parametrize(("columns", "cards"), [(60, True), (160, False)])
def test_what_is_wider_than_the_terminal_is_cards(
    here: Any, server: ServerProcess, columns: int, cards: bool
) -> None:
    key = ("--url", server.url, "--admin-key", server.admin_key)
    terminal = Terminal(
        Path.cwd(), *key, "data", "jobs", "--limit", "2", screen=True, environment={"COLUMNS": str(columns)}
    )
    shown = terminal.read_all()
    assert terminal.close()[0] == 0
    assert ("─ 1 ─" in shown) == cards
    assert re.search(r"[0-9a-z]{32}\b", shown)
    assert re.search(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", shown)


def test_csv_and_fields(here: Any) -> None:
    text = here("data", "jobs", "--format", "csv", "--fields", "name,size", "--order", "asc").stdout
    assert list(csv.reader(io.StringIO(text)))[:2] == [["name", "size"], ["job 0", "0"]]


def test_what_is_not_there_is_said(here: Any) -> None:
    assert "did you mean jobs" in here("data", "job", expect=1).stderr
    assert here("data", "empty", "--json").json() == []
    assert here("data", "_scheduled_functions", "--json").json() == []
    assert here("data", "get", "nonsense", "--json", expect=2).error()["code"] == "InvalidId"


def test_documents_are_changed_and_the_schema_is_kept(here: Any) -> None:
    (id,) = here(
        "data",
        "insert",
        "jobs",
        '{"name": "x", "status": "new", "size": 1, "big": {"$integer": "BQAAAAAAAAA="}}',
        "--json",
    ).json()
    assert here("data", "get", id, "--decode", "--json").json()["big"] == "5"
    assert (
        here("data", "patch", id, '{"size": "big"}', "--json", expect=8).error()["code"] == "SchemaViolation"
    )
    here("data", "patch", id, '{"size": 7}', "--unset", "big")
    found = here("data", "get", id, "--json").json()
    assert (found["size"], "big" in found) == (7, False)
    bad = [{"name": "a", "status": "b", "size": 1}, {"name": "a"}]
    assert (
        here("data", "insert", "jobs", json.dumps(bad), "--json", expect=8).error()["code"]
        == "SchemaViolation"
    )
    assert here("data", "--json").json()[1]["documents"] == 13


def test_deleting_needs_consent_and_is_all_or_nothing(here: Any) -> None:
    ids = [each["_id"] for each in here("data", "jobs", "--json").json()]
    refused = here("data", "delete", ids[0], ids[1], "--json", expect=9).error()
    assert (refused["code"], refused["hint"]) == ("ConsentRequired", "--allow=data-delete")
    here("data", "delete", ids[0])
    gone = here("data", "delete", ids[1], ids[0], "--allow", "data-delete", "--json", expect=1)
    assert gone.error()["code"] == "DocumentNotFound"
    refused = here("data", "delete", "jobs", "--where", 'status == "failed"', "--json", expect=9).error()
    assert "4 documents" in refused["message"]
    deleted = here("data", "delete", "jobs", "--where", 'status == "failed"', "--allow=data-delete", "--json")
    assert deleted.json() == {"deleted": 4}
    assert len(here("data", "jobs", "--json").json()) == 7


def test_a_key_that_only_reads_changes_nothing(here: Any, run: Any, server: ServerProcess) -> None:
    key = here("keys", "create", "reader", "--kind", "read-only").stdout.strip()
    assert len(run("--url", server.url, "--admin-key", key, "data", "jobs", "--json").json()) == 12
    id = here("data", "jobs", "--limit", "1", "--json").json()[0]["_id"]
    refused = run("--url", server.url, "--admin-key", key, "data", "delete", id, "--json", expect=5)
    assert refused.error()["code"] == "KeyKindForbidden"
