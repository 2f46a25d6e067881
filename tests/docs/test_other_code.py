"""Code of the docs that is not Python: command lines are understood, scripts are syntactically right, types agree.

What a page's commands do is tested with the commands; here only that they exist with these arguments.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from support.processes import ROOT
from support.react_app import made
from typer.main import get_command

from convexpy_cli.main import app

PAGES = [
    page
    for page in sorted([*(ROOT / "docs").glob("*.md"), ROOT / "README.md"])
    if page.stem not in ("cli-reference", "python-reference")  # generated, with tests of their own
]
BLOCK = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ENDS = ("|", ">", ">>", "<", "&&", "||", ";", "&")
ELSEWHERE = {
    "python": "test_python_fragments.py, test_code_blocks.py",
    "nginx": "",
    "ini": "",
    "dockerfile": "",
    "yaml": "",
    "sql": "",
}
"""Languages with tests elsewhere (tests/tidy/test_serving_docs.py), or of programs that are not ours."""


class Block(NamedTuple):
    """A block of code of a page."""

    page: str
    language: str
    text: str


BLOCKS = [Block(page.stem, *found) for page in PAGES for found in BLOCK.findall(page.read_text())]


def of(*languages: str) -> list[Any]:
    """Return the blocks in these languages, as parameters."""
    return [
        pytest.param(block, id=f"{block.page}-{number}")
        for number, block in enumerate(BLOCKS)
        if block.language in languages
    ]


def commands(block: Block) -> list[list[str]]:
    """Return the arguments of every `convexpy …` of a block of command lines."""
    found = []
    for line in block.text.replace("\\\n", " ").splitlines():
        is_output = block.language == "console" and not line.startswith("$ ")
        is_drawing = not block.language and not line.startswith(("$ ", "convexpy "))
        if is_output or is_drawing or line.startswith("Description="):
            continue
        # Two columns of a page; and what a reader fills in.
        for part in re.split(r" {4,}(?=convexpy )", line):
            words = shlex.split(re.sub(r"<[\w ]+>", "ID", part), comments=True)
            for place, word in enumerate(words):
                if Path(word).name == "convexpy" and words[place - 1 : place] != ["--name"]:
                    rest = words[place + 1 :]
                    ends = [at for at, each in enumerate(rest) if each in ENDS]
                    arguments = rest[: min(ends, default=len(rest))]
                    if arguments and not set(words[:place]) & {"useradd", "docker"}:
                        found.append([each for each in arguments if each != "…"])
    return found


COMMAND_LINES = [
    pytest.param(line, id=f"{block.page}-{' '.join(line)[:50]}")
    for block in BLOCKS
    if block.language in ("sh", "console", "")
    for line in commands(block)
    if line[0] != "convexpy"
]


@pytest.mark.parametrize("line", COMMAND_LINES)
def test_a_command_line_is_understood(line: list[str]) -> None:
    context = get_command(app).make_context("convexpy", list(line), help_option_names=["-h", "--help"])
    while hasattr(context.command, "commands"):
        rest = [*context._protected_args, *context.args]
        name, command, rest = context.command.resolve_command(context, rest)
        context = command.make_context(name, rest, parent=context)


def test_there_are_command_lines() -> None:
    assert len(COMMAND_LINES) > 60


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
@pytest.mark.parametrize("block", of("js", "html"))
def test_a_script_can_be_parsed(block: Block, tmp_path: Path) -> None:
    scripts = [("module", block.text)]
    if block.language == "html":
        scripts = re.findall(r"<script(?: type=\"(module)\")?>(.*?)</script>", block.text, re.DOTALL)
    assert scripts
    for kind, text in scripts:
        # A classic script may not wait at its top level.
        file = tmp_path / ("script.mjs" if kind else "script.cjs")
        file.write_text(text)
        ended = subprocess.run(
            ["node", "--check", str(file)], capture_output=True, text=True, check=False, timeout=60
        )
        assert ended.returncode == 0, ended.stderr


TYPED = {
    "frontend": "",  # the functions are those of the scaffold
    "coming-from-convex": """
import { mutationGeneric as mutation } from "convex/server";
import { ConvexError, v } from "convex/values";
""",
    "mutations": """
import { ConvexError } from "convex/values";
declare const source: string, target: string, amount: number;
declare function transfer(args: object): Promise<null>;
declare function show(balance: number): void;
""",
}
"""What is in front of a block of a page."""


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
def test_typescript_has_the_types_of_the_official_package_and_of_generated_code(tmp_path: Path) -> None:
    project = made(tmp_path)
    options = json.loads((project / "tsconfig.json").read_text())["compilerOptions"]
    options |= {"noUnusedLocals": False, "noUnusedParameters": False}
    (project / "docs").mkdir()
    (project / "tsconfig.json").write_text(json.dumps({"compilerOptions": options, "include": ["docs"]}))
    blocks = [block for block in BLOCKS if block.language in ("ts", "tsx")]
    assert {block.page for block in blocks} == set(TYPED)
    for number, block in enumerate(blocks):
        file = project / "docs" / f"{block.page}{number}.{block.language}"
        file.write_text(TYPED[block.page] + block.text)
    ended = subprocess.run(
        ["node", "node_modules/typescript/bin/tsc"], cwd=project, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stdout


@pytest.mark.parametrize("block", of("toml"))
def test_a_configuration_can_be_read(block: Block) -> None:
    assert tomllib.loads(block.text)


@pytest.mark.parametrize("block", of("json"))
def test_a_line_of_json_is_json(block: Block) -> None:
    try:
        json.loads(block.text)
    except ValueError:
        for line in block.text.splitlines():
            json.loads(line)


def test_every_language_is_checked() -> None:
    checked = {"sh", "console", "js", "html", "toml", "json", "ts", "tsx", ""} | set(ELSEWHERE)
    assert {block.language for block in BLOCKS} <= checked
