"""What is around a deploy: the commit, who runs it, what kind of build this is, which variables the code reads."""

from __future__ import annotations

import ast
import getpass
import os
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from convexpy.client import PushFile

GIT_TIMEOUT_S = 20.0
_COMMIT_VARIABLES = (
    "GITHUB_SHA",
    "VERCEL_GIT_COMMIT_SHA",
    "COMMIT_REF",
    "CF_PAGES_COMMIT_SHA",
    "CI_COMMIT_SHA",
)
_BRANCH_VARIABLES = (
    "GITHUB_REF_NAME",
    "VERCEL_GIT_COMMIT_REF",
    "BRANCH",
    "CF_PAGES_BRANCH",
    "CI_COMMIT_REF_NAME",
)
_ACTOR_VARIABLES = ("GITHUB_ACTOR", "VERCEL_GIT_COMMIT_AUTHOR_LOGIN", "GITLAB_USER_LOGIN")
_MAIN_BRANCHES = ("main", "master", "production")


@dataclass(frozen=True)
class Commit:
    """What is checked out; empty where it is not known. `clean` is None without git."""

    sha: str = ""
    branch: str = ""
    subject: str = ""
    clean: bool | None = None

    @property
    def short(self) -> str:
        """The first seven digits."""
        return self.sha[:7]


def current_commit(root: Path) -> Commit:
    """Return the commit of the project, from git, else from what the build service says."""
    found = git(root, "log", "-1", "--format=%H%n%s")
    sha, _, subject = (found or "").partition("\n")
    branch = git(root, "rev-parse", "--abbrev-ref", "HEAD") if found else ""
    if branch in (None, "HEAD"):
        branch = ""
    status = git(root, "status", "--porcelain") if found is not None else None
    return Commit(
        sha or _first(_COMMIT_VARIABLES),
        branch or _first(_BRANCH_VARIABLES),
        subject,
        None if status is None else not status,
    )


def current_actor(root: Path) -> str:
    """Return who deploys: the build service's word for it, git's user, or that of the system."""
    named = _first(_ACTOR_VARIABLES) or git(root, "config", "user.name")
    if named:
        return named
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""


def _first(names: tuple[str, ...]) -> str:
    return next((os.environ[name] for name in names if os.environ.get(name)), "")


def git(root: Path, *arguments: str, errors: str = "replace") -> str | None:
    """Return what a git command printed, without the newline at its end.

    None if it failed or took too long, or if there is no git.
    """
    try:
        ended = subprocess.run(
            ["git", "-C", str(root), *arguments],
            capture_output=True,
            encoding="utf-8",
            errors=errors,
            stdin=subprocess.DEVNULL,
            timeout=GIT_TIMEOUT_S,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"},
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return ended.stdout.rstrip("\n") if ended.returncode == 0 else None


def preview_build(environment: Mapping[str, str]) -> str | None:
    """Return the variable that says that this build is not one for production, as `NAME=value`; None if none does."""
    value = environment.get("VERCEL_ENV", "")
    if value in ("preview", "development"):
        return f"VERCEL_ENV={value}"
    value = environment.get("CONTEXT", "")
    if environment.get("NETLIFY") and value in ("deploy-preview", "branch-deploy", "dev"):
        return f"CONTEXT={value}"
    value = environment.get("CF_PAGES_BRANCH", "")
    if value and value not in _MAIN_BRANCHES:
        return f"CF_PAGES_BRANCH={value}"
    return None


def variables_read(files: Mapping[str, PushFile], folder: str) -> dict[str, str]:
    """Return the variables that the code reads by name, each with the first place: `billing.py:4`."""
    found: dict[str, str] = {}
    for path, file in sorted(files.items()):
        if not path.endswith(".py"):
            continue
        try:
            tree = ast.parse(file.content)
        except (SyntaxError, ValueError):
            continue  # the deployment says so, with the place
        for name, line in _reads(tree):
            found.setdefault(name, f"{folder}/{path}:{line}")
    return found


def _reads(tree: ast.AST) -> Iterator[tuple[str, int]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Subscript) and _is_environ(node.value):
            yield from _named(node.slice, node.lineno)
        elif isinstance(node, ast.Call) and node.args and isinstance(node.func, ast.Attribute | ast.Name):
            function = node.func
            by_get = (
                isinstance(function, ast.Attribute) and function.attr == "get" and _is_environ(function.value)
            )
            name = function.attr if isinstance(function, ast.Attribute) else function.id
            if by_get or name == "getenv":
                yield from _named(node.args[0], node.lineno)


def _is_environ(node: ast.expr) -> bool:
    return (isinstance(node, ast.Attribute) and node.attr == "environ") or (
        isinstance(node, ast.Name) and node.id == "environ"
    )


def _named(node: ast.expr, line: int) -> Iterator[tuple[str, int]]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value, line
