"""`convexpy schema`: texts that define what they show, differences, stored documents against local code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support.processes import ServerProcess

pytestmark = pytest.mark.slow
SCHEMA = """
from convexpy import define_schema, define_table, v

schema = define_schema({
    "users": define_table({"name": v.string(), "role": v.union(v.literal("admin"), v.literal("guest"))}),
    "posts": define_table({
        "owner": v.id("users"),
        "title": v.string(),
        "body": v.optional(v.union(v.string(), v.null())),
        "size": v.int64(),
        "when": v.int(),
        "meta": v.object({"tags": v.array(v.string()), "seen": v.record(v.string(), v.boolean()), "any": v.any()}),
    }).index("by_owner", ["owner", "title"]).index("later", ["title"], staged=True)
      .search_index("by_title", search_field="title", filter_fields=["owner"]),
    "kinds": define_table(v.union(v.object({"a": v.bytes()}), v.object({"b": v.literal(3)}))),
})
"""


@pytest.fixture
def here(run: Any, project: Path, server: ServerProcess) -> Any:
    """Run a command against a server that has this schema, and a few documents."""
    (project / "convex" / "schema.py").write_text(SCHEMA)
    (project / "convex" / "notes.py").unlink()
    target = ("--url", server.url, "--admin-key", server.admin_key)
    run(*target, "dev", "--once", "--typecheck", "disable")

    def run_here(*words: str, **expected: Any) -> Any:
        return run(*target, *words, **expected)

    users = [{"name": f"user {n}", "role": "admin" if n % 2 else "guest"} for n in range(10)]
    ids = run_here("data", "insert", "users", json.dumps(users), "--json").json()
    posts = [
        {
            "owner": ids[n], "title": f"post {n}", "size": {"$integer": "AQAAAAAAAAA="}, "when": n,
            "meta": {"tags": ["x"], "seen": {}, "any": None}, **({"body": "text"} if n else {}),
        }
        for n in range(5)
    ]  # fmt: skip
    run_here("data", "insert", "posts", json.dumps(posts))
    return run_here


def test_what_is_shown_as_python_defines_the_same(here: Any, project: Path) -> None:
    shown = here("schema", "show", "--format", "python").stdout
    before = here("schema", "show", "--json").json()
    assert before == here("schema", "show", "--deployed", "--json").json()
    (project / "convex" / "schema.py").write_text(shown)
    assert here("schema", "show", "--json").json() == before
    assert here("schema", "diff", "--json").json() == []


def test_other_texts(here: Any) -> None:
    text = here("schema", "show", "posts").stdout
    assert "body: NotRequired[str | None]" in text
    assert "index later (title)  (staged)" in text
    drawing = here("schema", "show", "--format", "dbml").stdout
    assert "Ref: posts.owner > users._id" in drawing
    assert drawing.count("{") == drawing.count("}")
    assert "did you mean posts" in here("schema", "show", "post", expect=1).stderr


def test_differences_have_their_own_exit_status(here: Any, project: Path) -> None:
    file = project / "convex" / "schema.py"
    changed = SCHEMA.replace('v.literal("guest")', 'v.literal("guest"), v.literal("bot")').replace(
        '["owner", "title"]', '["owner"]'
    )
    file.write_text(changed.replace('"kinds": define', '"sorts": define'))
    found = here("schema", "diff", "--json", expect=1).json()
    assert [(each["kind"], each["name"]) for each in found] == [
        ("removed", "kinds"), ("changed", "posts.by_owner"), ("added", "sorts"), ("changed", "users.role"),
    ]  # fmt: skip
    assert '"bot" added to union' in found[-1]["detail"]
    assert "- kinds" in here("schema", "diff", expect=1).stdout


def test_documents_that_do_not_fit_are_named(here: Any, project: Path, server: ServerProcess) -> None:
    assert here("schema", "check").stdout == ""
    file = project / "convex" / "schema.py"
    file.write_text(SCHEMA.replace("v.optional(v.union(v.string(), v.null()))", "v.string()"))
    (misfit,) = here("schema", "check", "--json", expect=8).json()
    assert (misfit["table"], "body" in misfit["message"]) == ("posts", True)
    file.write_text(SCHEMA.replace('"name": v.string()', '"name": v.number()'))
    assert len(here("schema", "check", "--limit", "3", "--json", expect=8).json()) == 3
    assert len(here("schema", "check", "--limit", "0", "--json", expect=8).json()) == 10
    # Looking changed nothing.
    assert here("schema", "show", "--deployed", "--json").json()["tables"]["users"]["validator"]["value"][
        "name"
    ]["fieldType"] == {"type": "string"}


def test_documents_fit_what_is_inferred_from_them(here: Any, project: Path) -> None:
    text = here("schema", "infer").stdout
    assert '"role": v.union(v.literal("admin"), v.literal("guest"))' in text
    assert '"owner": v.id("users")' in text
    assert '"body": v.optional(v.string())' in text
    assert '"size": v.int64()' in text
    (project / "convex" / "schema.py").write_text(text)
    here("schema", "check")
    assert here("schema", "infer", "nothing", expect=1).stdout == ""


def test_ids_of_files_are_checked_as_a_push_does(here: Any, project: Path) -> None:
    (project / "a.txt").write_text("a file")
    file = here("storage", "put", "a.txt").stdout.strip()
    owner = here("data", "users", "--limit", "1", "--json").json()[0]["_id"]
    here("data", "insert", "kinds", json.dumps({"b": 3}))
    schema = project / "convex" / "schema.py"
    schema.write_text(
        SCHEMA.replace(
            '"kinds": define', '"files": define_table({"file": v.id("_storage")}), "kinds": define'
        )
    )
    here("dev", "--once", "--typecheck", "disable")
    here("data", "insert", "files", json.dumps({"file": file}))
    here("schema", "check")
    assert '"file": v.id("_storage")' in here("schema", "infer", "files").stdout
    for wrong in (owner, "text"):
        schema.write_text(
            SCHEMA.replace('"kinds": define', '"files": define_table({"file": v.string()}), "kinds": define')
        )
        here("dev", "--once", "--typecheck", "disable")
        here("data", "insert", "files", json.dumps({"file": wrong}))
        schema.write_text(
            SCHEMA.replace(
                '"kinds": define', '"files": define_table({"file": v.id("_storage")}), "kinds": define'
            )
        )
        checked = here("schema", "check", "--json", expect=8).json()
        here("dev", "--once", "--typecheck", "disable", expect=8)
        assert [each["table"] for each in checked] == ["files"]
        here("data", "delete", checked[0]["id"])
