"""Arguments that are secrets: keys and tokens that may begin with a dash, and that no error message shows."""

from __future__ import annotations

import difflib
import re

from convexpy_cli import declared, errors


def protected(full: str, arguments: list[str]) -> list[str]:
    """Return the arguments with a value that begins with a dash moved behind `--`, where it is read as a value.

    Raises:
        Failure: it looks like one of the command's options, misspelt (exit 2).
    """
    options = _options(full)
    kept: list[str] = []
    values: list[str] = []
    positions = 0
    waiting = iter(arguments)
    for word in waiting:
        name, equals, _ = word.partition("=")
        if word == "--":
            return arguments
        if not word.startswith("-") or len(word) == 1:
            positions += 1
        elif name in options:
            kept.append(word)
            if options[name] and not equals:
                kept += [following for following in [next(waiting, None)] if following is not None]
            continue
        elif positions and not _is_flags(word, options):
            _check_not_misspelt(name, options)
            values.append(word)
            continue
        kept.append(word)
    return [*kept, "--", *values] if values else arguments


def without_values(message: str) -> str:
    """Return what a message of the parser says, without the arguments that it shows."""
    lowered = message.lower()
    if "unexpected extra argument" in lowered:
        return "too many arguments"
    if "no such option" in lowered:
        return "no such option; write `--` before a value that begins with a dash"
    return message.partition(":")[0].partition("(")[0].strip()


def _options(full: str) -> dict[str, bool]:
    """Return the options of a command, and whether a value follows each."""
    known = {name: each.takes_value for each in declared.declared(full).parameters for name in each.names}
    return {**known, "-h": False, "--help": False}


def _is_flags(word: str, options: dict[str, bool]) -> bool:
    return word[:2] != "--" and all(options.get(f"-{letter}") is False for letter in word[1:])


def _check_not_misspelt(name: str, options: dict[str, bool]) -> None:
    if re.fullmatch(r"--[a-z][a-z-]+", name) is None:
        return
    near = difflib.get_close_matches(
        name, [each for each in options if each.startswith("--")], n=1, cutoff=0.8
    )
    if near:
        raise errors.usage(
            f"no such option: {name}; did you mean {near[0]}?",
            "write `--` before a value that begins with a dash",
        )
