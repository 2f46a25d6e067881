"""Running the project's own type checker, and its findings in one form."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from convexpy.errors import ProjectError
from convexpy.project._locate import Project

CHECKERS = ("pyright", "basedpyright", "mypy", "ty")
TIMEOUT_S = 600.0


@dataclass(frozen=True)
class Diagnostic:
    """One finding. `file` is relative to the project, line and column count from 1."""

    file: str
    line: int
    column: int
    code: str
    message: str
    severity: str

    def to_json(self) -> dict[str, Any]:
        """Return `file line column code message severity`."""
        return asdict(self)

    def __str__(self) -> str:
        code = f"  [{self.code}]" if self.code else ""
        return f"{self.file}:{self.line}:{self.column}: {self.severity}: {self.message}{code}"


@dataclass(frozen=True)
class CheckResult:
    """What a checker found; `ok` says whether it found no error."""

    checker: str
    ok: bool
    diagnostics: tuple[Diagnostic, ...]

    @property
    def errors(self) -> list[Diagnostic]:
        """Those that are errors."""
        return [each for each in self.diagnostics if each.severity == "error"]

    @property
    def counted(self) -> str:
        """How many errors there are: `2 type errors`."""
        return f"{len(self.errors)} type error{'s' if len(self.errors) > 1 else ''}"


def find_checker(project: Project, wanted: str | None = None) -> str | None:
    """Return the checker to run: the one named, the configured one, else the first that is installed; or None."""
    chosen = wanted or project.config.checker
    if chosen != "auto":
        return chosen
    return next((name for name in CHECKERS if _executable(name)), None)


def run_checker(project: Project, checker: str) -> CheckResult:
    """Run `checker` (a known name, or a command line) on the functions folder.

    Raises:
        ProjectError: it is not installed, or could not do its work.
    """
    name = checker.split()[0]
    executable = _executable(name)
    if executable is None:
        raise ProjectError(
            f"the type checker {name!r} is not installed", code="ConfigInvalid", hint=f"pip install {name}"
        )
    command = [executable, *shlex.split(checker)[1:]]
    if checker in CHECKERS:
        command += _arguments(checker, project)
    child = subprocess.run(
        command,
        cwd=project.root,
        capture_output=True,
        text=True,
        encoding="utf-8",
        stdin=subprocess.DEVNULL,
        timeout=TIMEOUT_S,
        check=False,
    )
    found = tuple(_findings(name, child.stdout, project.root))
    ok = not any(each.severity == "error" for each in found)
    if child.returncode > 1 or (child.returncode == 1 and ok):
        text = (child.stderr or child.stdout).strip().splitlines()
        raise ProjectError(f"{name} failed: {text[-1] if text else child.returncode}", code="TypecheckFailed")
    return CheckResult(name, ok, found)


def _executable(name: str) -> str | None:
    beside = Path(sys.executable).parent / name
    if beside.is_file():
        return str(beside)
    return shutil.which(name)


def _arguments(checker: str, project: Project) -> list[str]:
    folder = os.path.relpath(project.functions, project.root)
    if checker in ("pyright", "basedpyright"):
        return ["--outputjson", "--pythonpath", sys.executable, folder]
    if checker == "ty":
        return ["check", "--output-format", "concise", folder]
    # Functions folders are namespace packages: without these mypy sees every module twice.
    layout = ["--namespace-packages", "--explicit-package-bases"]
    return [
        *layout,
        "--python-executable",
        sys.executable,
        "--show-column-numbers",
        "--no-error-summary",
        "--no-pretty",
        folder,
    ]


def _findings(checker: str, output: str, root: Path) -> Iterator[Diagnostic]:
    if checker in ("pyright", "basedpyright") and output.lstrip().startswith("{"):
        for each in json.loads(output).get("generalDiagnostics", ()):
            start = each.get("range", {}).get("start", {"line": 0, "character": 0})
            yield Diagnostic(
                _relative(each["file"], root),
                start["line"] + 1,
                start["character"] + 1,
                each.get("rule", ""),
                each["message"],
                each["severity"],
            )
        return
    for line in output.splitlines():
        found = re.match(
            r"(?P<file>[^:\n]+):(?P<line>\d+):(?:(?P<column>\d+):)? *(?P<severity>error|warning)\b:? *(?P<text>.*)",
            line,
        )
        if found:
            text, code = found["text"], ""
            tagged = re.match(r"(.*?)\s+\[([\w-]+)\]$", text) or re.match(r"\[([\w-]+)\] (.*)", text)
            if tagged:
                text, code = (tagged[1], tagged[2]) if text.endswith("]") else (tagged[2], tagged[1])
            yield Diagnostic(
                _relative(found["file"], root),
                int(found["line"]),
                int(found["column"] or 1),
                code,
                text,
                found["severity"],
            )


def _relative(file: str, root: Path) -> str:
    path = Path(file)
    if path.is_absolute() and path.is_relative_to(root):
        return path.relative_to(root).as_posix()
    return path.as_posix()
