"""What is around a deploy, without a server: kinds of builds, variables in code, the plan as text, annotations."""

from __future__ import annotations

from typing import Any

import pytest

from convexpy.client import PushFile
from convexpy_cli.deploy import github
from convexpy_cli.deploy.plan_text import plan_lines
from convexpy_cli.deploy.surroundings import preview_build, variables_read

CODE = b"""
import os
from os import environ, getenv
a = os.environ["ONE"]
b = environ.get("TWO", "x")
c = getenv("THREE")
d = os.getenv("ONE")
e = os.environ[name]
f = settings.get("NOT_THIS")
"""


def test_variables_that_code_reads() -> None:
    files = {
        "b/deep.py": PushFile("", CODE),
        "broken.py": PushFile("", b"def f("),
        "data.txt": PushFile("", b'os.environ["NO"]'),
    }
    found = variables_read(files, "convex")
    assert found == {"ONE": "convex/b/deep.py:4", "TWO": "convex/b/deep.py:5", "THREE": "convex/b/deep.py:6"}


@pytest.mark.parametrize(
    ("environment", "found"),
    [
        ({}, None),
        ({"VERCEL_ENV": "production"}, None),
        ({"VERCEL_ENV": "preview"}, "VERCEL_ENV=preview"),
        ({"CONTEXT": "deploy-preview"}, None),
        ({"CONTEXT": "deploy-preview", "NETLIFY": "true"}, "CONTEXT=deploy-preview"),
        ({"CF_PAGES_BRANCH": "main"}, None),
        ({"CF_PAGES_BRANCH": "feature"}, "CF_PAGES_BRANCH=feature"),
    ],
)
def test_builds_that_are_not_for_production(environment: dict[str, str], found: str | None) -> None:
    assert preview_build(environment) == found


def change(
    area: str, kind: str, name: str, detail: str = "", consent: str | None = None, **more: Any
) -> dict[str, Any]:
    return {"area": area, "kind": kind, "name": name, "detail": detail, "consent": consent, **more}


def test_the_plan_as_text() -> None:
    changes = [change("modules", "changed", f"m{number}.py") for number in range(10)] + [
        change("functions", "removed", "a:b", "public", "function-removal:a:b"),
        change("functions", "changed", "a:longer", "args", before="x\ny", after="x\nz"),
        change("indexes", "removed", "t.i", "1 document", "index-drop:t.i"),
    ]
    lines = [line.text for line in plan_lines(changes, covered=frozenset({"index-drop:t.i"}), diff=True)]
    assert lines[0] == "  functions   - a:b       public  needs --allow=function-removal:a:b"
    assert lines[1] == "              ~ a:longer  args"
    assert [line.strip() for line in lines[2:5]] == ["x", "- y", "+ z"]
    assert lines[5] == "  indexes     - t.i  1 document  (--allow=index-drop:t.i)"
    assert lines[-1].strip() == "and 2 more"
    assert [line.text for line in plan_lines([], covered=frozenset(), diff=False)] == ["  nothing changes"]


def test_annotations_are_one_line_each(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    error = {
        "code": "ModuleLoadFailed",
        "message": "50% of\nit ::error::x",
        "location": {"file": "a.py", "line": 3, "column": None},
    }
    github.annotate(error)
    assert capsys.readouterr().err == ""
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    github.annotate(error)
    assert (
        capsys.readouterr().err == "::error file=a.py,line=3::[ModuleLoadFailed] 50%25 of%0Ait ::error::x\n"
    )
