"""The build of the front end, as part of a deploy: a shell command that is told where the deployment is."""

from __future__ import annotations

import os
import subprocess
import sys

from convexpy.project import Project, client_variables
from convexpy_cli import errors


def build_variables(project: Project, url: str, site_url: str, url_variable: str | None) -> dict[str, str]:
    """Return the variables for the build: both URLs, plain, under the framework's names, and the one asked for."""
    file = project.root / project.config.client_file
    named = {} if not url_variable else {url_variable: url}
    return {
        "CONVEX_URL": url,
        "CONVEX_SITE_URL": site_url,
        **client_variables(project.root, file, url, site_url),
        **named,
    }


def run_build(project: Project, command: str, variables: dict[str, str], *, pushed: bool) -> None:
    """Run the command in the project's folder; what it writes goes to stderr, for stdout is the result.

    Raises:
        Failure: it ended with something else than 0 (exit 1).
    """
    sys.stderr.flush()
    done = subprocess.run(
        command,
        shell=True,
        cwd=project.root,
        env={**os.environ, **variables},
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr.fileno(),
        check=False,
    )
    if done.returncode != 0:
        outcome = "the deploy is done, but " if pushed else ""
        option = "--cmd-after" if pushed else "--cmd"
        raise errors.Failure(
            "BuildFailed",
            f"{outcome}{option} ended with status {done.returncode}: {command}",
            data={"status": done.returncode},
        )
