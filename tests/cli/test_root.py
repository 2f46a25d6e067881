"""The application: global flags, help that fits a screen, suggestions, one form of errors, what is imported."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from convexpy import _version
from convexpy_cli import main, reference

COMMANDS = dict(reference.commands())
FAMILIES = sorted({name.split()[0] for name in COMMANDS if " " in name})
HEAVY = {
    "questionary", "prompt_toolkit", "rich", "watchfiles", "cryptography", "asyncio", "sqlite3", "starlette",
    "uvicorn", "websockets", "nicegui", "fastapi", "convexpy.serve", "convexpy.http",
}  # fmt: skip


def loaded_by(*arguments: str) -> set[str]:
    """The modules that a command line loads, in a process of its own."""
    code = (
        "import sys; sys.argv[0] = 'convexpy'\n"
        "from convexpy_cli.main import run\n"
        f"run({list(arguments)!r})\n"
        "sys.stderr.write('\\nLOADED ' + ' '.join(sys.modules))"
    )
    child = subprocess.run(
        [sys.executable, "-c", code], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True
    )
    return set(child.stderr.rpartition("LOADED ")[2].split())


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_every_command_fits_a_screen(name: str, run: Any) -> None:
    text = run(*name.split(), "--help").stdout
    lines = text.splitlines()
    assert lines[0].startswith(f"Usage: convexpy {name}")
    assert len(lines) <= 24, text
    assert max(map(len, lines)) <= 80, text
    assert lines[2][0].isupper()  # what it does, as a sentence
    assert "convexpy help flags" in lines[-1]
    assert not re.search(r"<\w+>|[Ee]xit codes?:", text)


@pytest.mark.slow
def test_the_full_help_of_a_command_has_all_options_and_examples(run: Any) -> None:
    assert "--metrics-port N  " not in run("serve", "--help").stdout
    assert "--metrics-port" in run("serve", "--help").stdout
    assert "--metrics-port N  " in run("help", "serve").stdout
    for name, context in COMMANDS.items():
        text = run("help", *name.split()).stdout
        assert all(example in text for example in context.examples), name


def test_the_top_level_help_names_every_command_once(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    lines = run().stdout.splitlines()
    assert len(lines) <= 40
    assert max(map(len, lines)) <= 80
    assert "convexpy init" in lines[2]
    names = [line.split()[0] for line in lines if line.startswith("  ")]
    known = dict.fromkeys(name.split()[0] for name in COMMANDS)
    assert names == [name for name in known if name not in main.UNLISTED]
    assert "convexpy help COMMAND" in lines[-1]
    (tmp_path / "convexpy.toml").write_text("")
    assert "convexpy dev" in run("--help").stdout.splitlines()[2]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_lists_its_commands(family: str, run: Any) -> None:
    text = run(family, "--help").stdout
    for name in COMMANDS:
        first, _, second = name.partition(" ")
        if first == family and second:
            assert re.search(rf"^  {second} +[A-Z].*[^.]\.$", text, re.MULTILINE), (name, text)


def test_the_global_flags_have_a_help_of_their_own(run: Any) -> None:
    text = run("help", "flags").stdout
    assert all(flag in text for flag in ("--json", "--deployment", "--timeout", "--allow"))
    assert "--json" not in run("env", "list", "--help").stdout.rpartition("\n\n")[0]


def test_every_command_has_a_format_for_programs() -> None:
    for name, context in COMMANDS.items():
        assert {"json", "jsonl"} & set(context.formats), name


def test_version(run: Any) -> None:
    assert run("--version").stdout == run("-V").stdout == f"convexpy {_version.__version__}\n"
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
        (["dev", "--oncee"], "--once"),
    ],
)
def test_a_similar_command_or_option_is_suggested(arguments: list[str], meant: str, run: Any) -> None:
    result = run(*arguments, expect=2)
    assert result.stderr.startswith("error[UsageError]: no such ")
    assert meant in result.stderr.splitlines()[1]
    assert result.stdout == ""
    error = run(*arguments, "--json", expect=2).error()
    assert meant in error["hint"]
    assert (error["code"], error["exitCode"], error["location"]) == ("UsageError", 2, None)


@pytest.mark.parametrize("word", main.ELSEWHERE)
def test_commands_of_other_tools_have_an_answer(run: Any, word: str) -> None:
    assert word not in COMMANDS
    assert main.ELSEWHERE[word] in run(word, expect=2).stderr


def test_aliases_are_other_names_of_commands() -> None:
    assert set(main.ALIASES.values()) <= set(COMMANDS)
    assert not set(main.ALIASES) & set(COMMANDS)


def test_global_flags_may_stand_before_and_after_the_command(run: Any) -> None:
    assert run("--json", "version").json() == run("version", "--json").json()
    assert run("--format", "human", "version").stdout.startswith("convexpy ")
    # The one after the command wins.
    assert run("--format", "json", "version", "--format", "human").stdout.startswith("convexpy ")


def test_a_format_that_a_command_does_not_have_is_refused(run: Any) -> None:
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


@pytest.mark.parametrize("arguments", ["--version", "--help", "nosuch"])
def test_the_root_imports_no_command(arguments: str) -> None:
    loaded = loaded_by(arguments)
    assert not loaded & (
        HEAVY | {"convexpy.client", "convexpy.project", "httpx", "convexpy_cli.data.commands"}
    )


def test_declarations_import_nothing_heavy() -> None:
    # Every module of commands at once, up to its help.
    code = "from convexpy_cli import reference; reference.page(); import sys; print(*sys.modules)"
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not set(child.stdout.split()) & (HEAVY | {"convexpy.client", "convexpy.project", "httpx"})


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments", ["deployment list", "docs", "update --json", "completion show bash", "mcp install"]
)
def test_a_command_whose_reader_is_no_terminal_does_not_load_rich(project: Path, arguments: str) -> None:
    assert not loaded_by(*arguments.split()) & HEAVY


@pytest.mark.slow
def test_a_command_that_asks_a_deployment_does_not_load_rich_or_the_server(project: Path) -> None:
    # Nothing listens there; all that a request needs is loaded by then.
    target = ("--url", "http://127.0.0.1:9", "--admin-key", "app|0123456789abcdef0123", "--json")
    for words in ("env list", "run notes:list", "storage list"):
        loaded = loaded_by(*words.split(), *target)
        assert "convexpy.client" in loaded
        assert not loaded & {"rich", "questionary", "watchfiles", "sqlite3", "starlette", "convexpy.serve"}, (
            words
        )


def test_a_bug_is_reported_with_secrets_masked(
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


@pytest.mark.parametrize("words", ["version -v", "--help", "data --help"])
def test_a_reader_that_stops_reading_is_no_error(project: Path, words: str) -> None:
    command = f"{sys.executable} -m convexpy_cli {words} | true; echo ${{PIPESTATUS[0]}}"
    child = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert child.stdout.strip() == "0"
    assert child.stderr == ""


def test_a_time_limit_ends_a_command(run: Any, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("convexpy_cli.deployments.current.current", lambda *_: threading.Event().wait(30))
    assert "TimedOut" in run("deployment", "show", "--timeout", "0.1", expect=124).stderr


def test_a_key_on_the_command_line_is_warned_about_and_never_shown(run: Any, project: Path) -> None:
    arguments = ["--url", "http://127.0.0.1:9", "--admin-key", "app|secretsecretsecret", "--debug"]
    result = run("env", "list", *arguments, expect=6)
    assert "visible" in result.stderr
    assert "CONVEXPY_DEPLOY_KEY" in result.stderr
    assert "secretsecret" not in result.stderr
    assert "visible" not in run("env", "list", *arguments, expect=6).stderr  # once, not in every line of CI
    last = run("env", "list", *arguments, "--json", expect=6).stderr.splitlines()[-1]
    assert json.loads(last)["error"]["code"] == "Unreachable"


def test_the_entry_point_leaves_with_the_status(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["convexpy", "nosuch"])
    with pytest.raises(SystemExit) as caught:
        main.main()
    assert caught.value.code == 2
