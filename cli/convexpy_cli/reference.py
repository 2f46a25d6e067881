"""The reference page of the command line, a walk over the commands: `python -m convexpy_cli.reference`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from typer.main import get_command

from convexpy_cli.command import DEFAULT, flags_help
from convexpy_cli.context import Context
from convexpy_cli.main import COMMANDS, app

HEAD = """# Command reference

Every command with its options, as `convexpy help COMMAND` prints them.
[The command line](cli.md) explains what they have in common.
This page is generated: `python -m convexpy_cli.reference > docs/cli-reference.md`.
"""


def commands() -> Iterator[tuple[str, Context]]:
    """Yield the name of every command, `env set`, with a context of it."""
    root = Context(
        get_command(app), info_name="convexpy", help_option_names=["-h", "--help"], terminal_width=78
    )
    for name in (name for group in COMMANDS.values() for name in group):
        yield from _below(name, root, root.command.get_command(root, name))  # type: ignore[attr-defined]


def _below(path: str, parent: Context, command: Any) -> Iterator[tuple[str, Context]]:
    name = path.rpartition(" ")[2]
    context = Context(command, parent=parent, info_name=name, **command.context_settings)
    if not hasattr(command, "commands"):
        yield path, context
        return
    for each, member in command.commands.items():
        if each == DEFAULT:
            yield path, Context(member, parent=context, **member.context_settings)
        else:
            yield from _below(f"{path} {each}", context, member)


def page() -> str:
    """Return the page as Markdown."""
    lines = [HEAD, "## Global flags", "", "```text", flags_help(), "```", ""]
    for path, context in commands():
        context.full_help = True
        lines += [f"## {path}", "", "```text", context.get_help(), "```", ""]
    return "\n".join(lines).rstrip() + "\n"


if __name__ == "__main__":
    sys.stdout.write(page())
