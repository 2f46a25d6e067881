"""`convexpy functions`: lists, single functions, and documents for other tools."""

from __future__ import annotations

import json
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
from support.processes import ServerProcess

pytestmark = pytest.mark.slow
HTTP = """
from convexpy import Response, http_router
http = http_router()

@http.route("/hook", method="GET")
async def hook(ctx, request):
    return Response("ok")
"""


@pytest.fixture
def here(run: Any, project: Path, server: ServerProcess) -> Any:
    """Run a command against a server that has the project's functions, and one HTTP action."""
    (project / "convex" / "http.py").write_text(HTTP)
    target = ("--url", server.url, "--admin-key", server.admin_key)
    run(*target, "dev", "--once", "--typecheck", "disable")
    return lambda *words, **expected: run(*target, *words, **expected)


def test_functions_are_listed_and_filtered(here: Any) -> None:
    listed = here("functions", "list", "--json").json()
    assert [each["path"] for each in listed] == ["notes:add", "notes:count", "notes:list"]
    assert listed[0]["file"] == "convex/notes.py"
    assert [each["path"] for each in here("functions", "list", "--internal", "--json").json()] == [
        "notes:count"
    ]
    assert here("functions", "list", "*:l*", "--kind", "mutation", "--json").json() == []
    assert "notes:list\tquery\tpublic\tlimit: int = ...\tconvex/notes.py:" in here("functions", "list").stdout
    assert here("functions", "list", "--kind", "cron", expect=2).stdout == ""


def test_how_they_fared(here: Any, server: ServerProcess) -> None:
    server.call("mutation", "notes:add", text="a")
    here("run", "notes:add", "text=", expect=1)
    found = {each["path"]: each for each in here("functions", "list", "--stats", "--json").json()}
    assert (found["notes:add"]["calls"], found["notes:add"]["errors"]) == (2, 1)
    assert found["notes:add"]["p95Ms"] > 0
    assert (found["notes:count"]["calls"], found["notes:count"]["p95Ms"]) == (0, None)


HARD = """
from typing import Literal
from typing_extensions import TypedDict
from convexpy import Int64, query, v
from ._generated.data_model import NotesId

class Place(TypedDict):
    city: str
    size: Int64

@query
def find(
    ctx, note: NotesId, kind: Literal["it's", "b"], place: Place, size: Int64, blob: bytes, when: None | float,
    tags: list[str], seen: dict[str, bool], either: Place | str, limit: int = 3,
) -> str:
    return ctx.db.get(note)["text"]
"""


def test_a_call_of_any_arguments_runs_as_shown(here: Any, project: Path) -> None:
    (project / "convex" / "hard.py").write_text(HARD)
    here("dev", "--once", "--typecheck", "disable")
    here("run", "notes:add", "text=found")
    shown = here("functions", "show", "hard:find").stdout.splitlines()
    assert here(*shlex.split(shown[-1])[2:]).stdout == '"found"\n'
    assert 'place: {"city": str, "size": Int64}' in shown[1]
    assert "when: float | None" in shown[1]


def test_one_function_is_shown_with_a_call_that_works(here: Any) -> None:
    shown = here("functions", "show", "notes.add")
    line = next(line for line in shown.stdout.splitlines() if line.startswith("try"))
    assert subprocess.run([*shlex.split(line)[1:2], "--version"], capture_output=True, check=True).stdout
    assert shlex.split(line)[2:] == ["run", "notes:add", "text=text"]
    assert here(*shlex.split(line)[2:]).stdout == "null\n"
    assert "did you mean notes:add" in here("functions", "show", "notes:ad", expect=2).stderr


def test_the_local_code_needs_no_deployment(here: Any, run: Any, server: ServerProcess) -> None:
    deployed = here("functions", "spec").json()
    server.stop()
    local = run("functions", "spec", "--local").json()
    assert (local["functions"], local["url"]) == (deployed["functions"], "")
    identifiers = [each.get("identifier") for each in local["functions"]]
    assert identifiers == ["notes.js:add", "notes.js:count", "notes.js:list", None]
    assert local["functions"][-1] == {"functionType": "HttpAction", "method": "GET", "path": "/hook"}
    limit = local["functions"][2]["args"]["value"]["limit"]
    assert limit == {"fieldType": {"type": "number"}, "optional": True}


def test_open_api_of_public_functions(here: Any, server: ServerProcess, tmp_path: Path) -> None:
    file = tmp_path / "openapi.json"
    assert here("functions", "openapi", "-o", str(file)).stdout == f"{file}\n"
    document = json.loads(file.read_text())
    assert sorted(document["paths"]) == ["/api/run/notes/add", "/api/run/notes/list"]
    # What it says is how it is: called as described.
    path, body = "/api/run/notes/add", {"args": {"text": "by its description"}, "format": "json"}
    status, answer, _ = server.request("POST", path, body)
    assert (status, answer["status"], answer["value"]) == (200, "success", None)
    assert (
        here("functions", "openapi", "-o", "/nonexistent/x", "--json", expect=1).error()["code"]
        == "FileNotWritable"
    )
