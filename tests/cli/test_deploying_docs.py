"""What `docs/deploying.md` promises: its workflow runs as it stands, and what it names exists."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from support.plugin import plugin_flags
from support.processes import ROOT, ServerProcess

from convexpy.errors.exit_codes import EXIT_CODES
from convexpy_cli import main

WORKFLOW = ROOT / "docs" / "examples" / "github-actions.yml"
DOC = ROOT / "docs" / "deploying.md"

UV = f"""#!/bin/sh
# Stands in for `uv run`: the tools are those of this environment.
[ "$1" = run ] || exit 2
shift
tool=$1
shift
case $tool in
    convexpy) exec {sys.executable} -m convexpy_cli "$@" ;;
    pytest) exec {sys.executable} -m pytest {" ".join(plugin_flags())} -p no:cacheprovider -q "$@" ;;
    *) exit 2 ;;
esac
"""
TEST = """
def test_a_note_is_listed(convex):
    convex.mutation("notes:add", {"text": "one"})
    assert convex.query("notes:list") == ["one"]
"""


def steps() -> list[tuple[str, str, str]]:
    """Return `(name, condition, command)` of the steps of the workflow that run something."""
    found: list[tuple[str, str, str]] = []
    for part in re.split(r"(?m)^      - ", WORKFLOW.read_text(encoding="utf-8"))[1:]:
        fields = dict(re.findall(r"(?m)^\s*(name|if|run|uses): (.+)$", part))
        if "run" in fields:
            found.append((fields["name"], fields.get("if", ""), fields["run"]))
    return found


def applies(condition: str, *, event: str, ref: str) -> bool:
    """Decide the conditions that the workflow uses."""
    known = {
        "": True,
        "github.event_name == 'pull_request' && env.CONVEXPY_DEPLOY_KEY != ''": event == "pull_request",
        "github.ref == 'refs/heads/main'": ref == "refs/heads/main",
    }
    return known[condition]


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="the steps are shell scripts")
def test_the_workflow_runs_step_by_step_as_it_stands(
    start_server: Callable[..., ServerProcess], project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = start_server("--redact-errors")
    status, made, _ = server.request(
        "POST", "/api/convexpy/keys", {"name": "github", "kind": "deploy"}, admin=True
    )
    assert status == 200, made
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "uv").write_text(UV)
    (tools / "uv").chmod(0o755)
    (project / "convexpy.toml").write_text('[project]\nname = "app"\n[typecheck]\nchecker = "mypy"\n')
    (project / "tests").mkdir()
    (project / "tests" / "test_notes.py").write_text(TEST)
    subprocess.run([sys.executable, "-m", "convexpy_cli", "codegen"], cwd=project, check=True)
    summary = tmp_path / "summary.md"
    environment = {
        **os.environ,
        "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}",
        "MYPYPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT / 'cli'}",
        "CI": "true",
        "GITHUB_ACTIONS": "true",
        "GITHUB_ACTOR": "ada",
        "GITHUB_STEP_SUMMARY": str(summary),
        "CONVEXPY_URL": server.url,
        "CONVEXPY_DEPLOY_KEY": made["key"],
    }

    def job(event: str, ref: str) -> tuple[list[str], str]:
        """Run the steps that apply; return the names of those that went well, and all output."""
        done: list[str] = []
        output = ""
        for name, condition, command in steps():
            if not applies(condition, event=event, ref=ref):
                continue
            step = subprocess.run(
                ["bash", "-e", "-c", command],
                cwd=project,
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
            )
            output += step.stdout + step.stderr
            if step.returncode != 0:
                break
            done.append(name)
        return done, output

    checks = ["generated files are up to date", "types", "tests"]
    done, output = job("pull_request", "refs/pull/7/merge")
    assert done == [*checks, "plan"], output
    assert server.failure("query", "notes:list")  # nothing is live yet
    assert "notes:list" in summary.read_text()
    assert '"applied":false' in (project / "plan.json").read_text()

    done, output = job("push", "refs/heads/main")
    assert done == [*checks, "deploy"], output
    assert server.call("query", "notes:list") == []
    history = server.request("GET", "/api/convexpy/history", admin=True)[1]["pushes"]
    assert history[0]["actor"] == "ada"

    broken = project / "convex" / "broken.py"
    broken.write_text("import nothing_like_this\n")
    done, output = job("pull_request", "refs/pull/8/merge")
    assert done == []
    broken.unlink()

    notes = project / "convex" / "notes.py"
    notes.write_text(notes.read_text().replace('@query(name="list")', '@query(name="all")'))
    (project / "tests" / "test_notes.py").unlink()
    (project / "tests" / "test_nothing.py").write_text("def test_nothing():\n    pass\n")
    subprocess.run([sys.executable, "-m", "convexpy_cli", "codegen"], cwd=project, check=True)
    done, output = job("push", "refs/heads/main")
    assert done == checks
    assert "--allow=function-removal:notes:list" in output
    assert "::error::[ConsentRequired]" in output
    assert server.call("query", "notes:list") == []
    assert made["key"] not in output


def test_the_document_names_commands_and_codes_that_exist() -> None:
    text = DOC.read_text(encoding="utf-8")
    for line in re.findall(r"(?m)^(?:uvx )?convexpy .*$", text):
        words = line.removeprefix("uvx ").split()[1:]
        assert any(words[0] in group for group in main.COMMANDS.values()), line
    codes = {int(code) for code in re.findall(r"(?m)^\| (\d+) \|", text)}
    assert {
        EXIT_CODES[name] for name in ("EnvMissing", "SchemaMismatch", "PushSuperseded", "ConsentRequired")
    } <= codes
    assert (DOC.parent / "examples" / "github-actions.yml").is_file()
