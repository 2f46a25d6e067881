"""The description of an app, made offline: its modules are imported in a child process, never in this one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping

import msgspec

from convexpy.errors import ProjectError
from convexpy.project._env_file import read_env_file
from convexpy.project._locate import Project
from convexpy.protocol.app_description import AppDescription
from convexpy.protocol.fork_messages import LoadError

TIMEOUT_S = 120.0


def analyze(project: Project, environment: Mapping[str, str] | None = None) -> AppDescription:
    """Return the description of the project, without a server.

    `environment` are the deployment's variables, as far as they are known; those of the env files stand in for the
    rest, since modules may read variables while they are imported.

    Raises:
        ProjectError: a module does not import, or defines something that makes no sense.
    """
    variables: dict[str, str] = {}
    for file in reversed(project.env_files()):
        variables |= read_env_file(file)
    variables |= {"CONVEX_CLOUD_URL": "http://127.0.0.1:3210", "CONVEX_SITE_URL": "http://127.0.0.1:3211"}
    variables |= {**os.environ, **(environment or {})}
    command = [sys.executable, "-m", "convexpy.sandbox.analyze"]
    command += ["--camel"] if project.config.function_case == "camel" else []
    try:
        child = subprocess.run(
            [*command, str(project.functions)],
            capture_output=True,
            text=True,
            encoding="utf-8",
            env=variables,
            stdin=subprocess.DEVNULL,
            cwd=project.root,
            timeout=TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ProjectError(
            f"importing the functions took more than {TIMEOUT_S:.0f} s", code="ModuleLoadFailed"
        ) from error
    return _read(child)


def _read(child: subprocess.CompletedProcess[str]) -> AppDescription:
    lines = child.stdout.strip().splitlines()
    try:
        document = json.loads(lines[-1])
    except (IndexError, ValueError) as error:
        last = child.stderr.strip().splitlines()[-1:] or ["no output"]
        raise ProjectError(
            f"the functions could not be imported: {last[0]}",
            code="ModuleLoadFailed",
            data={"stderr": child.stderr[-4000:]},
        ) from error
    if "error" not in document:
        return msgspec.convert(document, AppDescription)
    raise msgspec.convert(document["error"], LoadError).as_error()
