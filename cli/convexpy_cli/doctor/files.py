"""Checks of a project's files: what git ignores, keys in files that it does not, and whether watching works here."""

from __future__ import annotations

import re
import tempfile
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from convexpy.project import Project
from convexpy_cli.deploy.surroundings import git
from convexpy_cli.dev.watcher import needs_polling
from convexpy_cli.doctor.findings import Check, Finding, Repair, Scene, fail, ok, skip, warn

SCAN_FILE_BYTES_MAX = 1024 * 1024
SCAN_TIME_S = 8.0
WATCH_TIMEOUT_S = 3.0
# Keys by their form: the name of a deployment, a bar, and what convexpy or the hosted service makes.
_KEY = re.compile(
    rb"[A-Za-z0-9][\w:.-]{0,63}\|(?:0[12][0-9a-f]{64,80}\b|eyJ[A-Za-z0-9_=-]{20,})"
    rb"|\b(?:prod|preview|dev|project):[\w:-]+\|[A-Za-z0-9+/_-]{40,}"
)


def ignored(scene: Scene) -> Iterator[Finding]:
    """Whether git leaves the files alone that hold keys."""
    project = scene.project
    if git(project.root, "rev-parse", "--is-inside-work-tree") is None:
        yield skip("no git repository")
        return
    name = ".env.local"
    if git(project.root, "ls-files", "--error-unmatch", name) is not None:
        yield fail(
            f"{name} is tracked by git",
            why="it is in every clone: also create new keys",
            fix=f"git rm --cached {name}",
            repair=Repair(
                partial(_untrack, project, name), f"Take {name} out of git (the file itself stays)?"
            ),
        )
    elif git(project.root, "check-ignore", "-q", name) is None:
        yield fail(
            f"{name} is not ignored by git",
            why="it contains keys, which `git add .` would publish",
            fix=f"echo {name} >> .gitignore",
            repair=Repair(partial(_ignore, project, name)),
        )
    else:
        yield ok(f"{name} is ignored by git")
    if project.state.is_dir() and git(project.root, "check-ignore", "-q", str(project.state / "x")) is None:
        yield fail(
            f"{project.state.name}/ is not ignored by git",
            why="it contains the data and the key of the local deployment",
            fix=f"echo '*' > {project.state}/.gitignore",
            repair=Repair(partial(_ignore_state, project)),
        )


def _untrack(project: Project, name: str) -> None:
    _ignore(project, name)
    if git(project.root, "rm", "--cached", "--quiet", name) is None:
        raise OSError("git refused")


def _ignore(project: Project, name: str) -> None:
    file = project.root / ".gitignore"
    text = file.read_text(encoding="utf-8", errors="replace") if file.exists() else ""
    if name in text.splitlines():
        return
    separator = "" if not text or text.endswith("\n") else "\n"
    with file.open("a", encoding="utf-8") as lines:
        lines.write(f"{separator}{name}\n")


def _ignore_state(project: Project) -> None:
    (project.state / ".gitignore").write_text("*\n", encoding="utf-8")


def secrets(scene: Scene) -> Iterator[Finding]:
    """Whether tracked files hold admin keys or deploy keys; they are known by their form, and never shown."""
    project = scene.project
    listed = git(project.root, "ls-files", "-z", errors="surrogateescape")
    if listed is None:
        yield skip("no git repository")
        return
    names = [name for name in listed.split("\0") if name]
    found: list[str] = []
    until = time.monotonic() + SCAN_TIME_S
    for number, name in enumerate(names):
        if time.monotonic() > until:
            yield skip(f"checked {number:,} of {len(names):,} tracked files before the time limit")
            break
        found += _keys_in(project.root / name, name)
    if found:
        yield fail(
            f"keys in tracked files: {', '.join(found[:5])}" + (" …" if len(found) > 5 else ""),
            why="everyone who can read the repository controls the deployment; git history keeps the keys",
            fix="run convexpy keys rotate NAME, then remove them from the files",
        )
    else:
        yield ok(f"no keys in {len(names):,} tracked files")


def _keys_in(file: Path, name: str) -> list[str]:
    try:
        if file.is_symlink() or not file.is_file() or file.stat().st_size > SCAN_FILE_BYTES_MAX:
            return []
        content = file.read_bytes()
    except OSError:
        return []
    if b"|" not in content:
        return []
    newline = b"\n"
    return [f"{name}:{content.count(newline, 0, match.start()) + 1}" for match in _KEY.finditer(content)]


def watching(scene: Scene) -> Finding:
    """Whether the system tells of a saved file: one is saved, and the time to the event taken."""
    project = scene.project
    if not project.functions.is_dir():
        return skip("no functions folder")
    polls = needs_polling(project.functions, project.config.poll)
    took_ms = watch_once(project.functions, poll=polls)
    how = " (by polling)" if polls else ""
    if took_ms is not None:
        return ok(f"a saved file was noticed after {took_ms:.0f} ms{how}")
    return warn(
        f"a saved file was not noticed within {WATCH_TIMEOUT_S:g} s{how}",
        why="`convexpy dev` does not notice when you save a file",
        fix="in convexpy.toml: [dev] poll = true" if not polls else "move the project to a local disk",
    )


def watch_once(folder: Path, *, poll: bool) -> float | None:
    """Save a file that no push takes and return when the watcher told of it, in milliseconds; None if it did not."""
    from watchfiles import watch

    stop, begun = threading.Event(), threading.Event()
    seen: list[float] = []
    with tempfile.TemporaryDirectory(prefix=".doctor-", dir=folder) as name:
        probe = Path(name) / "saved.tmp"

        def listen() -> None:
            for _ in watch(
                name, watch_filter=None, step=10, debounce=50, stop_event=stop, rust_timeout=100,
                yield_on_timeout=True, force_polling=poll or None, raise_interrupt=False,
            ):  # fmt: skip
                if _ and begun.is_set():
                    seen.append(time.perf_counter())
                    return
                begun.set()  # the first turn without a change: from now on it watches

        thread = threading.Thread(target=listen, daemon=True, name="watch for doctor")
        thread.start()
        try:
            if not begun.wait(WATCH_TIMEOUT_S):
                return None
            started = time.perf_counter()
            probe.write_text("saved", encoding="utf-8")
            thread.join(WATCH_TIMEOUT_S)
        finally:
            stop.set()
            thread.join(WATCH_TIMEOUT_S)
    return (seen[0] - started) * 1000 if seen else None


CHECKS = (
    Check("env-ignored", ignored, "project"),
    Check("secrets", secrets, "project"),
    Check("watching", watching, "project"),
)
