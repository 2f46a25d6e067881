"""What a running command has: its settings, its output, its prompts, the project and the target."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from convexpy_cli.settings import Settings

if TYPE_CHECKING:
    from convexpy.client import AdminClient
    from convexpy.project import Project, Target
    from convexpy_cli.output.interface import Output
    from convexpy_cli.prompts import Prompts


class Invocation:
    """One command that runs. Everything beyond settings and output is made when it is asked for."""

    def __init__(self, settings: Settings, output: Output) -> None:
        self.settings = settings
        self.output = output
        self._clients: list[AdminClient] = []

    @cached_property
    def prompts(self) -> Prompts:
        """The gate to the person at the terminal."""
        from convexpy_cli.prompts import Prompts

        return Prompts(self.settings)

    @cached_property
    def project(self) -> Project:
        """The project around the current folder; its warnings are printed once.

        Raises:
            ProjectError: there is none, or its configuration is wrong.
        """
        from convexpy.project import find_project

        project = find_project(Path.cwd())
        for warning in project.warnings:
            self.output.warn(warning)
        return project

    @property
    def project_or_none(self) -> Project | None:
        """The project around the current folder, or None: a deployment can be named without one.

        Raises:
            ProjectError: its configuration is wrong.
        """
        from convexpy.errors import ProjectError

        try:
            return self.project
        except ProjectError as error:
            if error.code != "ProjectNotFound":
                raise
            return None

    @property
    def functions_folder(self) -> str:
        """What the functions folder is called: that of the project, else the usual name."""
        project = self.project_or_none
        return "convex" if project is None else project.config.functions

    def target(self, *, deploying: bool = False) -> Target:
        """Return the deployment that this command is about, by flags, variables, files and configuration."""
        from convexpy_cli.targets import choose

        return choose(self, deploying=deploying)

    def client(self, target: Target) -> AdminClient:
        """Return a client of `target`; its key is masked in all output from now on."""
        from convexpy.client import AdminClient
        from convexpy_cli.output import masking

        if target.admin_key:
            masking.register(target.admin_key)
        client = AdminClient(target.url, target.admin_key, source=target.url_source)
        self._clients.append(client)
        return client

    def close(self) -> None:
        """Close the connections of this command."""
        for client in self._clients:
            client.close()
