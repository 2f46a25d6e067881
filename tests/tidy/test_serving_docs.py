"""What docs/serving.md says is true: commands parse, flags and metrics exist, limits are limits."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from typer.main import get_command

from convexpy.limits import Knobs
from convexpy.serve.limits_file import read_limits
from convexpy_cli.main import app, run

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "serving.md").read_text()
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", TEXT, re.DOTALL)
SHELL = [line for kind, block in BLOCKS if kind in ("sh", "ini") for line in block.splitlines()]
SERVE = [line.partition("convexpy serve ")[2] for line in SHELL if "convexpy serve " in line]
KEYS = [line.partition("keys create ")[2] for line in SHELL if "keys create " in line]


def test_there_is_something_to_check() -> None:
    assert len(SERVE) >= 3
    assert len(KEYS) >= 3


@pytest.mark.parametrize("line", SERVE)
def test_commands_that_serve_are_understood(line: str) -> None:
    parsed("serve", line)


@pytest.mark.parametrize("line", KEYS)
def test_commands_that_make_keys_are_understood(line: str) -> None:
    parsed("keys", "create " + line)


def parsed(command: str, line: str) -> None:
    """Parse the arguments of a command, without running it."""
    root = get_command(app).make_context("convexpy", [command])
    _, found, _ = root.command.resolve_command(root, [command])  # type: ignore[attr-defined]
    words = shlex.split(line)
    if hasattr(found, "commands"):
        found = found.commands[words.pop(0)]
    found.make_context(command, words, parent=root)


def test_the_image_is_the_one_that_init_writes_and_starts_what_exists() -> None:
    page = (ROOT / "docs" / "containers.md").read_text()
    (shown,) = re.findall(r"```dockerfile\n(.*?)```", page, re.DOTALL)
    written = (ROOT / "scaffolds" / "_extras" / "Dockerfile").read_text().replace("{{functions}}", "convex")
    assert shown == re.sub(r"^#.*\n", "", written, flags=re.MULTILINE)
    words = [*re.findall(r'"([^"]+)"', shown.partition("ENTRYPOINT")[2])]
    assert words[0].endswith("/convexpy")
    assert words[1] == "serve"
    parsed("serve", shlex.join(words[2:]))


def test_flags_and_variables_exist(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["help", "serve"]) == 0
    text = capsys.readouterr().out
    text = re.sub(r"--\[no-\]([a-z-]+)", r"--\1 --no-\1", text)
    known = set(re.findall(r"--[a-z][a-z-]+", text)) | {"--kind", "--functions", "--expires"}
    others = {
        "--name",
        "--stop-timeout",
        "--no-cache-dir",
        "--system",
        "--create-home",
        "--chown",
        "--compile-bytecode",
    }
    used = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", TEXT)) - others
    assert used <= known, used - known
    variables = set(re.findall(r"CONVEXPY_SERVE_\w+", TEXT))
    flags = {"CONVEXPY_SERVE_" + flag.removeprefix("--").replace("-", "_").upper() for flag in known}
    assert variables <= flags


def test_limits_of_the_example_are_limits(tmp_path: Path) -> None:
    (block,) = [block for kind, block in BLOCKS if kind == "toml" and "[limits]" in block]
    (tmp_path / "limits.toml").write_text(block)
    assert read_limits(tmp_path / "limits.toml", Knobs()).function_cpu_s == 2.0


def test_metrics_of_the_table_exist() -> None:
    from convexpy.services.monitoring import metrics

    source = Path(metrics.__file__).read_text()
    named = set(re.findall(r"`(convexpy_\w+)`", TEXT))
    assert len(named) > 10
    assert {name.removesuffix("_total") for name in named} == {*re.findall(r'"(convexpy_\w+)"', source)}
