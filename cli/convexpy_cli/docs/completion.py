"""The work of `convexpy completion`: which shell, which file, and one marked block in it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from convexpy_cli import errors
from convexpy_cli.docs import completion_scripts

if TYPE_CHECKING:
    from convexpy_cli.context import Invocation

BEGIN, END = "# >>> convexpy completion >>>", "# <<< convexpy completion <<<"


def chosen_shell(shell: str | None) -> str:
    """Return the shell that is meant: the one named, else that of `SHELL`.

    Raises:
        Failure: it is none of ours (exit 2).
    """
    name = shell or Path(os.environ.get("SHELL", "")).name or "bash"
    if name not in completion_scripts.SHELLS:
        raise errors.usage(f"no completion for {name!r}", ", ".join(completion_scripts.SHELLS))
    return name


def rc_file(shell: str) -> Path:
    """Return the file that the shell reads at its start."""
    home = Path.home()
    if shell == "fish":
        return (
            Path(os.environ.get("XDG_CONFIG_HOME", home / ".config"))
            / "fish"
            / "completions"
            / "convexpy.fish"
        )
    if shell == "powershell":
        return home / ".config" / "powershell" / "Microsoft.PowerShell_profile.ps1"
    return Path(os.environ.get("ZDOTDIR", home)) / ".zshrc" if shell == "zsh" else home / ".bashrc"


def script_file(shell: str) -> Path:
    """Return where the script itself is kept: the shell's own file only reads it."""
    from convexpy.project import user_folder

    return user_folder() / f"completion.{ {'powershell': 'ps1'}.get(shell, shell) }"


def install(run: Invocation, shell: str) -> Path:
    """Write the script, and the block that reads it; says before which file changes.

    Raises:
        Failure: nobody agreed (exit 4).
    """
    file = rc_file(shell)
    if not run.prompts.confirm(f"Change {file}?", default=False):
        raise errors.Failure(
            "InputRequired",
            f"{file} would be changed",
            errors.INPUT_REQUIRED,
            hint="--yes, or completion show",
        )
    if shell == "fish":
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(completion_scripts.script(shell), encoding="utf-8")
        return file
    script = script_file(shell)
    script.parent.mkdir(parents=True, exist_ok=True)
    script.write_text(completion_scripts.script(shell), encoding="utf-8")
    source = f'. "{script}"' if shell == "powershell" else f'[ -r "{script}" ] && . "{script}"'
    text = _without_block(file)
    separator = "" if not text or text.endswith("\n") else "\n"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(
        f"{text}{separator}{BEGIN}\n{source}\n{END}\n", encoding="utf-8", errors="surrogateescape"
    )
    return file


def uninstall(shell: str) -> Path:
    """Take back what `install` wrote, and nothing else; return the file that was changed."""
    file = rc_file(shell)
    if shell == "fish":
        file.unlink(missing_ok=True)
        return file
    script_file(shell).unlink(missing_ok=True)
    if file.is_file():
        text = file.read_text(encoding="utf-8", errors="surrogateescape")
        kept = _without_block(file)
        if kept != text:
            file.write_text(kept, encoding="utf-8", errors="surrogateescape")
    return file


def _without_block(file: Path) -> str:
    text = file.read_text(encoding="utf-8", errors="surrogateescape") if file.is_file() else ""
    head, begin, rest = text.partition(BEGIN + "\n")
    if not begin or END not in rest:
        return text
    return head + rest.partition(END)[2].removeprefix("\n")
