"""Checks of a project: its configuration, every setting with its source, layout, type checker, lock, ports."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from packaging.specifiers import SpecifierSet

from convexpy.project import (
    DEFAULT_PORTS,
    LocalDeployment,
    find_checker,
    has_typescript_functions,
    key_lines,
    port_holder,
    port_is_free,
    setting_fields,
)
from convexpy_cli.docs.about import version_text
from convexpy_cli.doctor.findings import Check, Finding, Repair, Scene, fail, ok, skip, warn
from convexpy_cli.output.units import local_time


def config(scene: Scene) -> Iterator[Finding]:
    """Whether there is a project whose configuration can be read."""
    error = scene.project_error
    if error is not None and error.code == "ProjectNotFound":
        yield skip("no project here or above", fix="convexpy init, or -C DIR", check="project")
        return
    if error is not None:
        message = f"{error.location}: {error.message}" if error.location else error.message
        yield fail(message, why="no command works in this project", fix=error.hint or "correct the file")
        return
    project = scene.project
    yield ok(f"{project.name} in {project.root}", check="project")
    for warning in project.warnings:
        yield warn(warning, why="it has no effect", fix="correct or remove it")
    if not project.warnings:
        file = project.config.file
        yield ok(f"{file.name} is valid" if file else "no configuration file; defaults apply")


def settings(scene: Scene) -> Finding:
    """Every setting, its value, and where it comes from."""
    config = scene.project.config
    written = key_lines(config.file)
    details: list[str] = []
    for key, field in setting_fields().items():
        source = f"{config.file.name}:{written[key]}" if config.file and key in written else "default"
        details.append(f"{key} = {getattr(config, field)!r}  ({source})")
    moved = sorted(name for name in os.environ if name.startswith(("CONVEXPY_", "CONVEX_")))
    details += [f"{name} is set  (environment)" for name in moved]
    own = sum("(default)" not in line for line in details)
    return ok(f"{own} set, {len(details) - own} defaults (-v shows all)", details=details)


def required_version(scene: Scene) -> Finding:
    """Whether this convexpy is one that the project wants."""
    wanted, here = scene.project.config.requires_convexpy, version_text()
    if not wanted:
        return skip("the project does not require a version of convexpy")
    if SpecifierSet(wanted).contains(here, prereleases=True):
        return ok(f"{here} satisfies {wanted}")
    return fail(
        f"the project requires {wanted}, {here} is installed",
        why="other developers of the project use another version",
        fix=f"uv add 'convexpy{wanted}'",
    )


def layout(scene: Scene) -> Iterator[Finding]:
    """The traps of a functions folder: names that hide other modules."""
    project = scene.project
    folder, name = project.functions, project.config.functions
    if not folder.is_dir():
        yield fail(f"{name}/ does not exist", why="nothing can be pushed", fix="convexpy init")
        return
    broken = False
    marker = folder / "__init__.py"
    if marker.exists():
        broken = True
        empty = not marker.read_bytes().strip()
        yield fail(
            f"{name}/__init__.py exists",
            why=f"it makes the folder a package {name!r} that hides the client library of that name",
            fix=f"remove {name}/__init__.py",
            repair=Repair(marker.unlink, None if empty else f"{name}/__init__.py is not empty. Remove it?"),
        )
    path = [place for place in os.environ.get("PYTHONPATH", "").split(os.pathsep) if place]
    places = [Path(place or ".").resolve() for place in (*sys.path, *path)]
    if folder.resolve() in places:
        broken = True
        yield fail(
            f"{name}/ is on Python's module path",
            why=f"modules such as {name}/http.py hide modules of the standard library",
            fix=f"remove {name} from PYTHONPATH",
        )
    for taken in ("convexpy", "convexpy.py"):
        if (project.root / taken).exists() and project.root.resolve() not in Path(__file__).resolve().parents:
            broken = True
            yield fail(
                f"{taken} is in the project's folder",
                why="it hides the convexpy package from programs that start there",
                fix=f"rename {taken}",
            )
    if has_typescript_functions(folder):
        broken = True
        yield warn(
            f"{name}/ contains TypeScript or JavaScript functions",
            why="convexpy runs Python; they are not pushed",
            fix="move them, or deploy them with the official tool",
        )
    if not broken:
        yield ok(f"no conflicting modules in {name}/")


def checker(scene: Scene) -> Finding:
    """Whether a type checker can be run."""
    from shutil import which

    project = scene.project
    found = find_checker(project)
    if found is None:
        return warn(
            "no type checker is installed",
            why="types are not checked before a push",
            fix="uv add --dev pyright",
        )
    name = found.split()[0]
    if which(name) is None and not (Path(sys.executable).parent / name).is_file():
        return fail(
            f"typecheck.checker is {found!r}, which is not installed",
            why="deploys fail at the type check",
            fix=f"uv add --dev {name}",
        )
    return ok(found)


def lock(scene: Scene) -> Finding:
    """Who holds the local deployment: somebody, nobody, or a process that is gone."""
    local = LocalDeployment(scene.project)
    holder = local.holder()
    if holder is not None:
        since = f" since {local_time(holder.since * 1000)}" if holder.since else ""
        return ok(f"convexpy {holder.command} (pid {holder.pid}) serves the local deployment{since}")
    if (local.folder / "lock.json").exists():
        return warn(
            "the local deployment is locked by a process that no longer exists",
            why="the last command was killed; the next one takes over the lock",
            fix="convexpy doctor --fix",
            repair=Repair(partial(_take_over, local)),
        )
    return ok("the local deployment is not locked")


def _take_over(local: LocalDeployment) -> None:
    # As any command does it: a lock that somebody has taken meanwhile stays theirs.
    if local.acquire("doctor", time.time()) is None:
        local.release()


def ports(scene: Scene) -> Finding:
    """Whether the ports of the local deployment are free, or its own."""
    project = scene.project
    local = LocalDeployment(project)
    holder = local.holder()
    if holder is not None and holder.port:
        return ok(f"{holder.port} and {holder.sitePort}, in use by the local deployment")
    required = project.config.port
    pair = local.remembered_ports() or DEFAULT_PORTS
    if required is not None:
        pair = (required, project.config.site_port or required + 1)
    taken = [port for port in pair if not port_is_free(port)]
    if not taken:
        return ok(f"{pair[0]} and {pair[1]} are free")
    users = ", ".join(f"{port} is in use by {port_holder(port) or 'another program'}" for port in taken)
    if required is not None:
        return fail(
            users,
            why="the configuration requires this port",
            fix="use convexpy dev --port N, or stop that program",
        )
    return warn(
        users,
        why="`convexpy dev` will use the next free ports",
        fix="stop that program if you need these ports",
    )


CHECKS = (
    Check("config", config),
    Check("settings", settings, "project"),
    Check("requires", required_version, "project"),
    Check("layout", layout, "project"),
    Check("checker", checker, "project"),
    Check("lock", lock, "project"),
    Check("ports", ports, "project"),
)
