"""`convexpy codegen`: what it writes for which project, and how it tells that files are stale."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow
PYTHON = ["api.py", "api.pyi", "data_model.py", "server.py", "server.pyi"]
TYPESCRIPT = ["api.d.ts", "api.js", "dataModel.d.ts", "server.d.ts"]


def generated(names: list[str], folder: str = "convex/_generated") -> list[str]:
    return [f"{folder}/{name}" for name in sorted(names)]


def written(run: Any, *arguments: str) -> list[str]:
    files: list[str] = run("codegen", *arguments, "--json").json()["written"]
    return sorted(files)


def stale(run: Any, *arguments: str) -> list[str]:
    error = run("codegen", "--check", *arguments, "--json", expect=7).error()
    assert error["code"] == "GeneratedFilesStale"
    found: list[str] = error["data"]["stale"]
    return found


def test_python_alone_without_a_front_end(run: Any, project: Path) -> None:
    assert written(run) == generated(PYTHON)
    assert written(run) == []
    run("codegen", "--check")


def test_a_package_json_brings_typescript(run: Any, project: Path) -> None:
    (project / "web").mkdir()
    (project / "web" / "package.json").write_text("{}")
    assert written(run) == generated([*PYTHON, *TYPESCRIPT])
    text = (project / "convex" / "_generated" / "api.d.ts").read_text()
    assert "{ limit?: number }" in text
    assert "Array<string>" in text


def test_the_configuration_decides_and_flags_overrule_it(run: Any, project: Path) -> None:
    config = project / "convexpy.toml"
    config.write_text('[project]\nname = "app"\n[codegen]\npython = false\ntypescript = true\n')
    assert written(run) == generated(TYPESCRIPT)
    assert written(run, "--python", "--no-typescript") == generated(PYTHON)
    error = run("codegen", "--no-typescript", "--json", expect=2).error()
    assert "--typescript" in error["hint"]


def test_check_lists_stale_files_and_writes_nothing(run: Any, project: Path) -> None:
    written(run, "--typescript")
    folder = project / "convex" / "_generated"
    (folder / "old.d.ts").write_text("export {};\n")
    run("codegen", "--check", "--typescript")  # what it did not write does not matter
    (folder / "api.d.ts").write_text("// edited\n")
    (folder / "api.js").unlink()
    (folder / "server.py").write_bytes((folder / "server.py").read_bytes().replace(b"\n", b"\r\n"))
    assert stale(run, "--typescript") == generated(["api.d.ts", "api.js", "server.py"])
    assert stale(run, "--no-typescript") == generated(["server.py"])
    assert stale(run, "--typescript", "--no-python") == generated(["api.d.ts", "api.js"])
    assert (folder / "api.d.ts").read_text() == "// edited\n"
    assert written(run, "--typescript") == generated(["api.d.ts", "api.js", "server.py"])
    assert (folder / "old.d.ts").exists()


def test_a_changed_function_makes_types_stale(run: Any, project: Path) -> None:
    written(run, "--typescript")
    notes = project / "convex" / "notes.py"
    notes.write_text(
        notes.read_text().replace("text: str) -> None", "text: str, loud: bool = False) -> None")
    )
    assert stale(run, "--typescript") == generated(["api.d.ts", "api.pyi"])


def test_files_can_be_written_to_another_folder(run: Any, project: Path) -> None:
    files = written(run, "--typescript", "--no-python", "--out", "web/src/convex")
    assert files == generated(TYPESCRIPT, "web/src/convex")
    assert not (project / "convex" / "_generated").exists()
    run("codegen", "--check", "--typescript", "--no-python", "--out", "web/src/convex")
    assert stale(run, "--typescript", "--no-python") == generated(TYPESCRIPT)


def test_published_names_are_those_of_the_types(run: Any, project: Path) -> None:
    (project / "convexpy.toml").write_text('[project]\nname = "app"\nfunction-case = "camel"\n')
    (project / "convex" / "notes.py").write_text(
        "from convexpy import QueryCtx, query\n\n\n"
        "@query\ndef list_mine(ctx: QueryCtx, session_id: str, page_size: int = 3) -> list[str]:\n    return []\n\n\n"
        '@query(name="as_it_is")\ndef other(ctx: QueryCtx) -> None: ...\n'
    )
    written(run, "--typescript")
    text = (project / "convex" / "_generated" / "api.d.ts").read_text()
    assert "    listMine: FunctionReference<" in text
    assert "{ sessionId: string; pageSize?: number }" in text
    assert "    as_it_is: FunctionReference<" in text


def test_code_that_does_not_import_writes_nothing(run: Any, project: Path) -> None:
    (project / "convex" / "notes.py").write_text("import nothing_of_this_name\n")
    error = run("codegen", "--typescript", "--json", expect=7).error()
    assert error["code"] == "ModuleLoadFailed"
    assert not (project / "convex" / "_generated").exists()


def test_dev_writes_types_too_and_a_deployment_describes_itself(
    run: Any, project: Path, background: Any
) -> None:
    (project / "package.json").write_text(json.dumps({"name": "app"}))
    dev = background(project, "dev", "--json", "--typecheck", "disable")
    event = dev.until("codegen")
    assert sorted(event["written"]) == generated([*PYTHON, *TYPESCRIPT])
    run("codegen", "--check")  # local code gives the same files as the deployment did
    # What is live is described, not what lies there.
    (project / "convex" / "_generated" / "api.d.ts").unlink()
    assert written(run, "--from-deployment") == generated(["api.d.ts"])
    run("codegen", "--check", "--from-deployment")
