"""What comes after the files of `convexpy init`: installing, and the commands that the person types next."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

from convexpy.errors.texts import TextUnreadable, read_text
from convexpy.project import Scaffold, SignIn, is_application
from convexpy_cli import errors
from convexpy_cli.context import Context
from convexpy_cli.docs.installed import runnable

_PYTHON = ("uv", "pip")
_NODE = ("npm", "pnpm", "bun")


@dataclass(frozen=True)
class PackageManagers:
    """What installs Python packages, and what installs those of a front end."""

    python: str
    node: str

    @classmethod
    def chosen(cls, named: str | None) -> PackageManagers:
        """Return those to use; `named` is the one that the person asked for.

        Raises:
            Failure: there is none of that name (exit 2).
        """
        if named is not None and named not in _PYTHON + _NODE:
            raise errors.usage(f"--package-manager {named!r} is not valid", ", ".join(_PYTHON + _NODE))
        python = "uv" if shutil.which("uv") else "pip"
        return cls(named if named in _PYTHON else python, named if named in _NODE else "npm")


def install_commands(
    managers: PackageManagers, scaffold: Scaffold, files: Mapping[str, bytes], root: Path
) -> list[list[str]]:
    """Return the commands that install what the project needs."""
    packages = ["pytest", "mypy", "ruff", *scaffold.packages]
    commands = [
        ["uv", "sync"] if managers.python == "uv" else [sys.executable, "-m", "pip", "install", *packages]
    ]
    adopted = is_application(root)
    if adopted:
        commands = []  # what it depends on is written where it has always been
    if "package.json" in files:
        if not adopted:
            commands.append([managers.node, "install"])
        missing = _missing_packages(files["package.json"], root / "package.json")
        if missing:
            commands.append([managers.node, "install" if managers.node == "npm" else "add", *missing])
    return commands


def next_steps(
    root: Path,
    scaffold: Scaffold,
    sign_in: SignIn,
    commands: Sequence[Sequence[str]],
    *,
    installed: bool,
    adopted: bool,
) -> list[str]:
    """Return the commands to type next, in order; where an application was `adopted`, those that need none of its files."""
    steps: list[str] = []
    if root != Path.cwd():
        try:
            steps.append(shlex.join(["cd", str(root.relative_to(Path.cwd()))]))
        except ValueError:
            steps.append(shlex.join(["cd", str(root)]))
    if not installed:
        # With pip it would be this very Python's: an environment is theirs to choose.
        steps += [shlex.join(command) for command in commands if command[0] != sys.executable]
    if sign_in.kind == "clerk":
        steps.append(runnable("convexpy env set CLERK_JWT_ISSUER_DOMAIN https://YOUR-APP.clerk.accounts.dev"))
    following = list(scaffold.next)
    if adopted:
        following = [step for step in following if step.startswith("convexpy ")]
    missing = [each for each in scaffold.packages if find_spec(Requirement(each).name) is None]
    for step in following:
        if step.startswith("python ") and missing:
            steps.append(runnable(f"python -m pip install {shlex.join(missing)}"))
            missing = []
        steps.append(runnable(step))
    return steps


def install_packages(ctx: Context, root: Path, commands: Sequence[Sequence[str]]) -> None:
    """Run the commands.

    Raises:
        Failure: one of them failed (exit 1); the project stays.
    """
    for command in commands:
        # What it says is conversation, shown to those who ask or if it fails: stdout is for the result alone.
        output = sys.stderr if ctx.settings.verbose else subprocess.PIPE
        try:
            with ctx.output.working(f"$ {shlex.join(command)}"):
                ended = subprocess.run(
                    command,
                    cwd=root,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    encoding="utf-8",
                    errors="replace",
                    check=False,
                )
        except FileNotFoundError:
            raise _install_failed(command, f"there is no {command[0]} here") from None
        if ended.returncode:
            why = f"{command[0]} ended with status {ended.returncode}"
            raise _install_failed(command, why, (ended.stdout or "").splitlines())
        ctx.output.step("ok", shlex.join(command))


def _install_failed(command: Sequence[str], why: str, output: Sequence[str] = ()) -> errors.Failure:
    return errors.Failure(
        "InstallFailed",
        f"{why}; the project files are complete",
        hint=f"run it again: {shlex.join(command)}",
        data={"output": list(output)},
    )


def _missing_packages(wanted: bytes, present: Path) -> list[str]:
    """Return the client, if a `package.json` that was there before does not name it."""
    known = dependencies(present)
    if known is None:
        return []
    needed: dict[str, str] = json.loads(wanted).get("dependencies", {})
    # The page of the scaffold is not added here, so neither are its packages.
    return [f"convex@{needed['convex']}"] if "convex" in needed and "convex" not in known else []


def dependencies(file: Path) -> set[str] | None:
    """Return the names of all packages in a `package.json`; None if there is no readable one."""
    try:
        package: Any = json.loads(read_text(file))
        return {*package.get("dependencies", {}), *package.get("devDependencies", {})}
    except (OSError, ValueError, AttributeError, TypeError, TextUnreadable):
        return None
