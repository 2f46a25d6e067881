"""The root: answers from the table, near words, one form of errors."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from convexpy import _version
from convexpy_cli import main, table
from convexpy_cli.options import Leaf


def loaded_by(*arguments: str, stdin: int = subprocess.DEVNULL) -> set[str]:
    """The modules that a command line loads, in a process of its own."""
    code = (
        "import sys; sys.argv[0] = 'convexpy'\n"
        "from convexpy_cli.main import run\n"
        f"run({list(arguments)!r})\n"
        "sys.stderr.write('\\nLOADED ' + ' '.join(sys.modules))"
    )
    child = subprocess.run(
        [sys.executable, "-c", code], stdin=stdin, capture_output=True, text=True, check=True
    )
    return set(child.stderr.rpartition("LOADED ")[2].split())


def bare() -> set[str]:
    child = subprocess.run(
        [sys.executable, "-c", "import sys; print(*sys.modules)"], capture_output=True, text=True, check=True
    )
    return set(child.stdout.split())


def test_the_table_is_what_the_commands_are() -> None:
    for name, command in table.COMMANDS.items():
        leaf = getattr(importlib.import_module(command.module), command.attribute)
        assert isinstance(leaf, Leaf), name
        assert (leaf.function.__doc__ or "").strip(), name
        assert command.group in table.GROUPS
        assert "json" in leaf.formats or "jsonl" in leaf.formats, f"{name} has no format for programs"


@pytest.mark.parametrize("name", table.COMMANDS)
def test_every_command_has_help(name: str, run: Any) -> None:
    result = run(*name.split(), "--help")
    assert f"convexpy {name}" in result.stdout
    assert "--json" in result.stdout
    assert "Exit codes: 0 " in " ".join(result.stdout.split())


def test_help_lists_every_command_and_where_we_are(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    lines = run().stdout.splitlines()
    assert lines[0] == "No project here: start with `convexpy init`"
    text = "\n".join(lines)
    assert all(name in text and command.help in text for name, command in table.COMMANDS.items())
    (tmp_path / "convexpy.toml").write_text("")
    assert "convexpy dev" in run("--help").stdout.splitlines()[0]


def test_version(run: Any) -> None:
    assert run("--version").stdout == f"convexpy {_version.__version__}\n"
    shown = run("--version", "--json").json()
    assert set(shown) == {"version", "python", "platform", "protocol", "installMethod"}
    assert run("version", "--json").json() == shown


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        (["devv"], "convexpy dev"),
        (["inti"], "convexpy init"),
        (["env", "lst"], "convexpy env list"),
        (["--jsn"], "--json"),
    ],
)
def test_a_near_word_is_suggested(arguments: list[str], meant: str, run: Any) -> None:
    result = run(*arguments, expect=2)
    assert meant in result.stderr
    assert result.stdout == ""
    assert meant in run(*arguments, "--json", expect=2).error()["hint"]


def test_an_unknown_option_of_a_command_is_a_usage_error(run: Any) -> None:
    assert "error[UsageError]: no such option: --oncee" in run("dev", "--oncee", expect=2).stderr
    error = run("dev", "--oncee", "--json", expect=2).error()
    assert (error["code"], error["exitCode"], error["location"]) == ("UsageError", 2, None)


def test_official_flags_without_a_meaning_say_what_to_use(run: Any) -> None:
    assert "-d" not in run("dev", "--team", "x", expect=2).stderr.splitlines()[0]
    assert "server that you run" in run("dev", "--team", "x", expect=2).stderr


def test_global_flags_may_stand_before_and_after_the_command(run: Any) -> None:
    assert run("--json", "version").json() == run("version", "--json").json()
    assert run("--format", "human", "version").stdout.startswith("convexpy ")
    # The one after the command wins.
    assert run("--format", "json", "version", "--format", "human").stdout.startswith("convexpy ")


def test_a_format_that_a_command_has_not_is_refused(run: Any) -> None:
    assert "formats: human, json" in run("version", "--format", "csv", expect=2).stderr


def test_no_project_is_exit_3(run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for command in (["dev"], ["run", "a:b"], ["codegen"], ["deployment", "show"]):
        error = run(*command, "--json", expect=3).error()
        assert error["code"] == "ProjectNotFound"
        assert "convexpy init" in error["hint"]


def test_another_folder_can_be_named(run: Any, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project.parent)
    assert run("-C", "app", "deployment", "show", "--json").json()["name"] == "local"
    monkeypatch.chdir(project.parent)
    assert run("-C", "nowhere", "deployment", "show", expect=3).stderr.startswith("error[ProjectNotFound]")


HEAVY = {
    *(
        "asyncio",
        "httpx",
        "http.client",
        "questionary",
        "prompt_toolkit",
        "rich.console",
        "sqlite3",
        "ssl",
        "watchfiles",
    ),
    *(
        "concurrent.futures",
        "multiprocessing",
        "click",
        "msgspec",
        "starlette",
        "uvicorn",
        "websockets",
        "convexpy.client",
        "convexpy.project",
        "convexpy.values",
    ),
}


@pytest.mark.parametrize("name", table.COMMANDS)
def test_a_command_does_not_load_what_it_does_not_need(name: str) -> None:
    # Up to its own first line: the usage error of an unknown option comes after everything is declared.
    loaded = loaded_by(*name.split(), "--no-such-option")
    assert not loaded & HEAVY


@pytest.mark.parametrize(
    "arguments",
    [
        "deployment show",
        "deployment list",
        "docs",
        "version",
        "update",
        "login status",
        "completion show bash",
        "mcp install",
    ],
)
@pytest.mark.parametrize("form", [["--json"], []], ids=["json", "pipe"])
def test_a_command_whose_reader_is_no_terminal_does_not_load_rich(
    project: Path, arguments: str, form: list[str]
) -> None:
    loaded = {name.split(".")[0] for name in loaded_by(*arguments.split(), *form)}
    assert not loaded & {
        "rich",
        "httpx",
        "questionary",
        "prompt_toolkit",
        "watchfiles",
        "starlette",
        "uvicorn",
    }


def test_a_command_that_asks_a_deployment_does_not_load_rich_or_the_server(project: Path) -> None:
    # Nothing listens there; all that a request needs is loaded by then.
    target = ("--url", "http://127.0.0.1:9", "--admin-key", "app|0123456789abcdef0123", "--json")
    for words in (
        "env list",
        "data notes",
        "run notes:list",
        "storage list",
        "functions list",
        "crons list",
        "schedule list",
    ):
        loaded = loaded_by(*words.split(), *target)
        assert "http.client" in loaded
        assert not loaded & {
            "rich",
            "httpx",
            "asyncio",
            "questionary",
            "watchfiles",
            "sqlite3",
            "starlette",
        }, words
        assert not {"convexpy.serve", "convexpy.deployment", "convexpy.http"} & loaded, words


def test_a_bug_is_told_as_one_and_reported_with_secrets_masked(
    run: Any, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / ".convexpy").mkdir()

    def broken(*_: object) -> None:
        raise RuntimeError("key is app|0123456789abcdef0123")

    monkeypatch.setattr("convexpy_cli.deployments.current.current", broken)
    result = run("deployment", "show", "--json", expect=70)
    assert "0123456789abcdef" not in result.stderr
    assert result.error()["code"] == "InternalError"
    report = next((project / ".convexpy" / "crash").iterdir()).read_text()
    assert "RuntimeError" in report
    assert "0123456789abcdef" not in report


def test_a_reader_that_stops_reading_is_no_error(project: Path) -> None:
    command = f"{sys.executable} -m convexpy_cli version -v | true; echo ${{PIPESTATUS[0]}}"
    child = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert child.stdout.strip() == "0"
    assert child.stderr == ""


def test_a_time_limit_ends_a_command(run: Any, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import threading

    monkeypatch.setattr("convexpy_cli.deployments.current.current", lambda *_: threading.Event().wait(30))
    assert "TimedOut" in run("deployment", "show", "--timeout", "0.1", expect=124).stderr


def test_a_key_on_the_command_line_is_warned_about_and_never_shown(run: Any, project: Path) -> None:
    arguments = ["--url", "http://127.0.0.1:9", "--admin-key", "app|secretsecretsecret", "--debug"]
    result = run("env", "list", *arguments, expect=6)
    assert "visible" in result.stderr
    assert "CONVEXPY_DEPLOY_KEY" in result.stderr
    assert "secretsecret" not in result.stderr
    assert "visible" not in run("env", "list", *arguments, expect=6).stderr  # once, not in every line of CI
    assert (
        json.loads(run("env", "list", *arguments, "--json", expect=6).stderr.splitlines()[-1])["error"][
            "code"
        ]
        == "Unreachable"
    )


def test_the_entry_point_leaves_with_the_status(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["convexpy", "nosuch"])
    with pytest.raises(SystemExit) as caught:
        main.main()
    assert caught.value.code == 2


@pytest.mark.parametrize("word", table.ELSEWHERE)
def test_words_of_other_tools_have_an_answer(run: Any, word: str) -> None:
    assert word not in table.names()
    refused = run(word, expect=2)
    assert (refused.stdout, table.ELSEWHERE[word] in refused.stderr) == ("", True)
