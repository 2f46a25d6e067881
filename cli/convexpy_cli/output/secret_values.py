"""Arguments that are secrets: keys and tokens may begin with a dash, and no error message repeats them."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from typing import Any

from convexpy_cli import errors


def protected(parameters: Sequence[Any], arguments: list[str]) -> list[str]:
    """Return the arguments with values that begin with a dash behind `--`, where the parser reads them as values.

    Raises:
        Failure: one looks like a misspelt option (exit 2).
    """
    takes_value = {"-h": False, "--help": False}
    takes_value |= {
        name: not each.is_flag
        for each in parameters
        if each.param_type_name == "option"
        for name in each.opts
    }
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
        elif name in takes_value:
            kept.append(word)
            if takes_value[name] and not equals:
                kept += [following for following in [next(waiting, None)] if following is not None]
            continue
        elif positions and not _is_flags(word, takes_value):
            _check_not_misspelt(name, takes_value)
            values.append(word)
            continue
        kept.append(word)
    return [*kept, "--", *values] if values else arguments


def without_values(message: str) -> str:
    """Return what a message of the parser says, without the arguments that it repeats."""
    lowered = message.lower()
    if "unexpected extra argument" in lowered:
        return "too many arguments"
    if "no such option" in lowered:
        return "no such option; write `--` before a value that begins with a dash"
    return message.partition(":")[0].partition("(")[0].strip()


def _is_flags(word: str, takes_value: dict[str, bool]) -> bool:
    return word[:2] != "--" and all(takes_value.get(f"-{letter}") is False for letter in word[1:])


def _check_not_misspelt(name: str, takes_value: dict[str, bool]) -> None:
    known = [each for each in takes_value if each.startswith("--")]
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.8)
    if near and re.fullmatch(r"--[a-z][a-z-]+", name):
        raise errors.usage(
            f"no such option: {name}; did you mean {near[0]}?",
            "write `--` before a value that begins with a dash",
        )
