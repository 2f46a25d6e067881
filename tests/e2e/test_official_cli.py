"""The official command line, unmodified: run, env, logs, data, function-spec; a clear refusal of dev and deploy."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.official_cli import OfficialCli
from support.processes import ServerProcess

APP = {
    "schema.py": """
from convexpy import define_schema, define_table, v
schema = define_schema({"notes": define_table({"text": v.string(), "big": v.optional(v.int64())})})
""",
    "notes.py": """
import os
from convexpy import Int64, MutationCtx, QueryCtx, internal_query, mutation, query

@query(name="list")
def list_(ctx: QueryCtx) -> list[str]:
    return [note["text"] for note in ctx.db.query("notes").collect()]

@mutation
def add(ctx: MutationCtx, text: str) -> None:
    print("adding", text)
    ctx.db.insert("notes", {"text": text, "big": Int64(2**60)})

@internal_query
def color(ctx: QueryCtx) -> str:
    return os.environ.get("COLOR", "unset")

@mutation
def fail(ctx: MutationCtx) -> None:
    raise ValueError("no good")
""",
}


@pytest.fixture
def official(server: ServerProcess, tmp_path: Path) -> OfficialCli:
    server.push_ok(APP)
    return OfficialCli(tmp_path / "official", server)


def test_run_calls_every_kind_of_function(official: OfficialCli) -> None:
    assert official("run", "notes:add", '{"text": "hello"}').returncode == 0
    assert json.loads(official("run", "notes:list").stdout) == ["hello"]
    assert json.loads(official("run", "notes:color").stdout) == "unset"
    failed = official("run", "notes:fail")
    assert failed.returncode == 1
    assert "ValueError: no good" in failed.stderr
    missing = official("run", "notes:nothing")
    assert "notes:list" in missing.stderr  # it lists what there is
    wrong = official("run", "notes:add", '{"txt": 1}')
    assert "ArgumentValidationError" in wrong.stderr


def lines_of(process: object) -> Iterator[str]:
    yield from process.stdout  # type: ignore[attr-defined]


def test_run_watches_a_query(official: OfficialCli, server: ServerProcess) -> None:
    process = official.start("run", "--watch", "notes:list")
    try:
        seen = ""
        for line in lines_of(process):
            seen += line
            if seen.strip() == "[]":
                server.call("mutation", "notes:add", text="while watched")
            if "while watched" in seen:
                break
        assert "while watched" in seen
    finally:
        process.kill()
        process.communicate()


def test_variables_are_set_listed_read_and_removed(official: OfficialCli, server: ServerProcess) -> None:
    assert "Successfully set COLOR" in official("env", "set", "COLOR", "light blue").stderr
    assert json.loads(official("run", "notes:color").stdout) == "light blue"
    assert official("env", "get", "COLOR").stdout.strip() == "light blue"
    assert "COLOR" in official("env", "list").stdout
    assert official("env", "set", "PEM", stdin="line one\nline two\n").returncode == 0
    assert official("env", "get", "PEM").stdout.splitlines()[:2] == ["line one", "line two"]
    assert official("env", "remove", "COLOR").returncode == 0
    assert json.loads(official("run", "notes:color").stdout) == "unset"


def test_data_shows_tables_and_documents(official: OfficialCli, server: ServerProcess) -> None:
    for text in ("one", "two", "three"):
        server.call("mutation", "notes:add", text=text)
    assert "notes" in official("data").stdout
    shown = official("data", "notes", "--limit", "2", "--order", "asc").stdout
    assert ("one" in shown, "two" in shown, "three" in shown) == (True, True, False)
    assert "1152921504606846976" in shown
    lines = official("data", "notes", "--format", "jsonLines").stdout.splitlines()
    assert [json.loads(line.replace("1152921504606846976n", "0"))["text"] for line in lines] == [
        "three",
        "two",
        "one",
    ]
    assert "no documents" in official("data", "nothing").stdout + official("data", "nothing").stderr


def test_the_function_specification(official: OfficialCli, server: ServerProcess) -> None:
    spec = json.loads(official("function-spec").stdout)
    assert spec["url"] == server.url
    found = {each["identifier"]: each for each in spec["functions"]}
    assert sorted(found) == ["notes.js:add", "notes.js:color", "notes.js:fail", "notes.js:list"]
    assert found["notes.js:color"]["visibility"] == {"kind": "internal"}
    assert found["notes.js:add"]["args"]["value"] == {
        "text": {"fieldType": {"type": "string"}, "optional": False}
    }


def test_logs_are_followed(official: OfficialCli, server: ServerProcess) -> None:
    server.call("mutation", "notes:add", text="before")
    process = official.start("logs", "--history", "10", "--success")
    try:
        seen = ""
        for line in lines_of(process):
            seen += line
            if "adding before" in seen and "adding after" not in seen:
                server.call("mutation", "notes:add", text="after")
            if "adding after" in seen:
                break
        assert seen.count("adding after") == 1
    finally:
        process.kill()
        process.communicate()


def test_code_is_refused_with_the_way_out(official: OfficialCli) -> None:
    (official.folder / "convex" / "a.ts").write_text("export const a = 1;\n")
    refused = official("deploy", "--yes")
    assert refused.returncode == 1
    assert "convexpy deploy" in refused.stderr


def test_a_wrong_key_is_told(official: OfficialCli) -> None:
    official.environment["CONVEX_SELF_HOSTED_ADMIN_KEY"] = "other|0123456789abcdef"
    refused = official("run", "notes:list")
    assert refused.returncode == 1
    assert "BadDeployKey" in refused.stderr
