"""Warnings that are given once: to a person, or to the first command of a CI job."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from convexpy.project import user_folder

if TYPE_CHECKING:
    from convexpy_cli.output.interface import Output

KEY_ON_COMMAND_LINE = (
    "a key on the command line is visible to other users and kept by shells: "
    "use CONVEXPY_DEPLOY_KEY, or {flag} - to read it from stdin (said once)"
)


def warn_once(output: Output, name: str, text: str) -> None:
    """Warn, unless this user has been warned of `name` before."""
    file = user_folder() / "notices" / name
    if file.exists():
        return
    output.warn(text)
    with contextlib.suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()


def key_on_command_line(output: Output, flag: str) -> None:
    """Warn of a key that was given as the value of a flag."""
    warn_once(output, "key-on-command-line", KEY_ON_COMMAND_LINE.format(flag=flag))
