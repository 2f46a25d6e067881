"""Scaffolds: data folders that become projects. Rendering and planning; asking and telling is the command line's.

A scaffold is a folder with a `scaffold.toml` (title, description, next steps and the packages they need); every other file
is copied.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from convexpy.errors import ProjectError
from convexpy.project._config import CONFIG_FILE

DESCRIPTION_FILE = "scaffold.toml"
EXTRAS = "_extras"
LAYERS = "_auth"
APPENDED = ".append"
SIGN_IN_KINDS = ("none", "clerk", "oidc")
_SKIPPED = {
    "__pycache__",
    "node_modules",
    "dist",
    ".convexpy",
    ".venv",
    ".mypy_cache",
    ".pytest_cache",
    ".ruff_cache",
}
_OF_APPLICATIONS = (
    "package.json", "pyproject.toml", "setup.py", "setup.cfg", "requirements.txt", "Pipfile", "manage.py", "app.py",
    "main.py", "index.html", "src", "Cargo.toml", "go.mod", "Gemfile", "composer.json",
)  # fmt: skip
_TEXT = {
    ".py", ".pyi", ".toml", ".md", ".json", ".html", ".js", ".ts", ".tsx", ".css", ".txt", ".example", APPENDED, "",
}  # fmt: skip
Action = Literal["create", "update", "same", "keep", "new"]


@dataclass(frozen=True)
class Scaffold:
    """A scaffold that can be chosen."""

    name: str
    title: str
    description: str
    folder: Path
    next: tuple[str, ...]
    packages: tuple[str, ...] = ()
    """Python packages that commands of `next` need beside convexpy."""


@dataclass(frozen=True)
class PlannedFile:
    """A file of the new project. `keep`: one is there and differs; `new`: it is written as `X.new` beside that."""

    path: str
    content: bytes
    action: Action

    def written_as(self) -> str:
        """Return the path that is written."""
        return self.path + ".new" if self.action == "new" else self.path


def list_scaffolds(folder: Path) -> dict[str, Scaffold]:
    """Return the scaffolds in `folder` by name."""
    found: dict[str, Scaffold] = {}
    for file in sorted(folder.glob(f"*/{DESCRIPTION_FILE}")):
        described = tomllib.loads(file.read_text(encoding="utf-8"))
        name = file.parent.name
        found[name] = Scaffold(
            name,
            described["title"],
            described["description"],
            file.parent,
            tuple(described.get("next", ())),
            tuple(described.get("packages", ())),
        )
    return found


def plan_files(root: Path, files: Mapping[str, bytes], functions: str) -> list[PlannedFile]:
    """Return what writing `files` into `root` would do. A file that is there is never replaced.

    `.gitignore` gets the lines that it lacks. Where functions exist already, none are added, and no tests of them. Beside
    another application only the functions folder and the configuration are added.
    """
    if is_application(root):
        own = (f"{functions}/", CONFIG_FILE, ".gitignore", "AGENTS.md", ".env")
        files = {path: content for path, content in files.items() if path.startswith(own)}
    has_functions = any((root / functions).rglob("*.py")) if (root / functions).is_dir() else False
    same_project = has_functions and all(
        (root / path).is_file()
        for path in files
        if path.startswith(f"{functions}/") and "_generated" not in path
    )
    planned: list[PlannedFile] = []
    for path, content in files.items():
        belongs = path.startswith((f"{functions}/", "tests/"))
        if belongs and has_functions and not same_project and not (root / path).exists():
            continue
        planned.append(_planned(root / path, path, content))
    return planned


def is_application(root: Path) -> bool:
    """Say whether a folder holds an application that was there before convexpy."""
    return not (root / CONFIG_FILE).exists() and any((root / name).exists() for name in _OF_APPLICATIONS)


def write_planned(root: Path, planned: Iterable[PlannedFile]) -> list[PlannedFile]:
    """Write what is planned; returns the files that were written.

    Raises:
        ProjectError: the folder cannot be written.
    """
    written: list[PlannedFile] = []
    for each in planned:
        if each.action in ("create", "update", "new"):
            target = root / each.written_as()
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(each.content)
            except OSError as error:
                raise ProjectError(
                    f"{target} cannot be written: {error.strerror}", code="ConfigInvalid"
                ) from error
            written.append(each)
    return written


def as_new(planned: PlannedFile) -> PlannedFile:
    """Return the plan to write a differing file as `X.new`."""
    return replace(planned, action="new")


def _planned(target: Path, path: str, content: bytes) -> PlannedFile:
    if not target.exists():
        return PlannedFile(path, content, "create")
    present = target.read_bytes() if target.is_file() else b""
    if present == content:
        return PlannedFile(path, content, "same")
    if target.name == ".gitignore":
        merged = _merged_lines(present.decode("utf-8", errors="surrogateescape"), content.decode())
        content = merged.encode("utf-8", errors="surrogateescape")
        return PlannedFile(path, content, "same" if content == present else "update")
    return PlannedFile(path, content, "keep")


def _merged_lines(present: str, wanted: str) -> str:
    known = {line.strip().strip("/") for line in present.splitlines()}
    missing = [line for line in wanted.splitlines() if line.strip().strip("/") not in known]
    if not missing:
        return present
    gap = "" if not present or present.endswith("\n") else "\n"
    return present + gap + "\n".join(missing) + "\n"


@dataclass(frozen=True)
class SignIn:
    """How people sign in: `none`, `clerk` or `oidc`. `issuer` and `application_id` are those of an OpenID Connect issuer."""

    kind: str = "none"
    issuer: str = ""
    application_id: str = ""

    def check(self) -> None:
        """Raise `ProjectError` unless both can be written into Python, TypeScript and .env files as they are."""
        if self.kind != "oidc":
            return
        address = urlsplit(self.issuer)
        if address.scheme not in ("https", "http") or not address.netloc or not _is_plain(self.issuer):
            raise ProjectError(f"an issuer is an address, https://…, not {self.issuer!r}")
        if not self.application_id or not _is_plain(self.application_id):
            raise ProjectError(f"an application id is a word, not {self.application_id!r}")


def render_scaffold(
    scaffold: Scaffold,
    *,
    name: str,
    functions: str = "convex",
    extras: Iterable[str] = (),
    sign_in: SignIn | None = None,
    convexpy: str = "convexpy",
) -> dict[str, bytes]:
    """Return the files of a new project by path, in order. `extras` are files of the scaffolds' `_extras/` folder.

    `convexpy` is the requirement by which the project gets convexpy.

    In text `{{name}}` and the like are replaced. `_gitignore` becomes `.gitignore`, `convex/` the functions folder.
    What sign-in adds lies in layers over the scaffold: `_auth/KIND` beside all scaffolds, `_auth/sign-in` and
    `_auth/KIND` in the scaffold itself. A file of a layer takes the place of the one below, but `X.append` is added to
    the end of X, and a `package.json` is merged.

    Raises:
        ProjectError: what is known of the issuer of `sign_in` cannot be written into source files.
    """
    sign_in, folder = sign_in or SignIn(), scaffold.folder
    sign_in.check()
    values = {
        "name": name,
        "package": package_name(name),
        "functions": functions,
        "issuer": sign_in.issuer,
        "application_id": sign_in.application_id,
        "convexpy": convexpy,
    }
    files = {
        path: _rendered(file, values)
        for path, file in _files(folder)
        if path != DESCRIPTION_FILE and not path.startswith(f"{LAYERS}/")
    }
    for layer in _layers(folder, sign_in.kind):
        added = {path: _rendered(file, values) for path, file in _files(layer)}
        files = _laid_over(files, added)
    for extra in extras:
        files[extra] = _rendered(folder.parent / EXTRAS / extra, values)
    return {_renamed(path, functions): content for path, content in sorted(files.items())}


def package_name(name: str) -> str:
    """Return a name that `pyproject.toml` and `package.json` accept."""
    cleaned = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    return cleaned or "app"


def _is_plain(text: str) -> bool:
    return re.fullmatch(r"[!-~]+", text) is not None and not re.search(r"[\"'`\\{}$#]", text)


def _layers(scaffold: Path, kind: str) -> list[Path]:
    if kind == "none":
        return []
    own = scaffold / LAYERS
    return [scaffold.parent / LAYERS / kind, own / "sign-in", own / kind]


def _files(folder: Path) -> Iterable[tuple[str, Path]]:
    for file in sorted(folder.rglob("*")):
        relative = file.relative_to(folder)
        if file.is_file() and _SKIPPED.isdisjoint(relative.parts) and file.name != ".env.local":
            yield relative.as_posix(), file


def _laid_over(files: Mapping[str, bytes], added: Mapping[str, bytes]) -> dict[str, bytes]:
    laid = dict(files)
    for path, content in added.items():
        if path.endswith(APPENDED):
            below = path.removesuffix(APPENDED)
            laid[below] = laid.get(below, b"") + content
        elif path == "package.json" and path in laid:
            merged = _merged(json.loads(laid[path]), json.loads(content))
            laid[path] = json.dumps(merged, indent=2, ensure_ascii=False).encode() + b"\n"
            # It was made for other dependencies: the package manager writes a new one.
            laid.pop("package-lock.json", None)
        else:
            laid[path] = content
    return laid


def _merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for name, value in above.items():
        present = merged.get(name)
        if isinstance(present, dict) and isinstance(value, dict):
            merged[name] = dict(sorted((present | value).items()))
        else:
            merged[name] = value
    return merged


def _renamed(path: str, functions: str) -> str:
    first, slash, rest = path.partition("/")
    if first == "convex" and slash:
        return f"{functions}/{rest}"
    return re.sub(r"(^|/)_gitignore$", r"\1.gitignore", path)


def _rendered(file: Path, values: Mapping[str, str]) -> bytes:
    content = file.read_bytes()
    if file.suffix not in _TEXT:
        return content
    text = content.decode("utf-8")
    return re.sub(r"\{\{(\w+)\}\}", lambda found: values.get(found[1], found[0]), text).encode()
