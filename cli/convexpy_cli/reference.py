"""The reference page of the command line, made from what the commands declare: `python -m convexpy_cli.reference`."""

from __future__ import annotations

import sys

from convexpy_cli import declared, table
from convexpy_cli.declared import Declared, Parameter

HEAD = """# Command reference

Every command with its flags, as `convexpy COMMAND --help` tells them. [The command line](cli.md) says what they have in common.
This page is generated: `python -m convexpy_cli.reference > docs/cli-reference.md`.
"""


def page() -> str:
    """Return the page as Markdown."""
    commands = list(declared.commands())
    lines = [
        HEAD,
        "## Global flags",
        "",
        *_flags([each for each in commands[0].parameters if each.is_global]),
        "",
    ]
    for group in table.GROUPS:
        lines += [f"## {group}", ""]
        for command in commands:
            if command.group == group:
                lines += _command(command)
    return "\n".join(lines).rstrip() + "\n"


def _command(command: Declared) -> list[str]:
    arguments = [each for each in command.own if not each.names]
    flags = [each for each in command.own if each.names]
    usage = " ".join(
        ["convexpy", command.name, *(each.metavar for each in arguments), *(["[flags]"] if flags else [])]
    )
    aliases = table.COMMANDS[command.name].aliases
    lines = [f"### {command.name}", "", f"`{usage}`", "", command.text, ""]
    if aliases:
        lines += ["Also: " + ", ".join(f"`convexpy {alias}`" for alias in aliases) + ".", ""]
    lines += _flags([*arguments, *flags])
    lines += ["", f"Formats: {', '.join(command.formats)}.", ""]
    if command.examples:
        lines += ["```", *command.examples, "```", ""]
    return lines


def _flags(parameters: list[Parameter]) -> list[str]:
    if not parameters:
        return []
    rows = [f"| {_name(each)} | {_cell(each.help)} |" for each in parameters]
    return ["| flag | meaning |", "| --- | --- |", *rows]


def _name(parameter: Parameter) -> str:
    if not parameter.names:
        return f"`{_cell(parameter.metavar)}`"
    value = f" {parameter.metavar}" if parameter.takes_value else ""
    return f"`{_cell(', '.join(parameter.names) + value)}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


if __name__ == "__main__":
    sys.stdout.write(page())
