"""One push of the project's functions, for commands other than `dev`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from convexpy.client import AdminClient, PushFile, PushResult
from convexpy.project import FunctionsFolder, Project, Target
from convexpy_cli import errors

if TYPE_CHECKING:
    from convexpy_cli.context import Context


def push_config(project: Project) -> dict[str, Any]:
    """Return the settings of the project that the server needs for a push."""
    return {"functionCase": project.config.function_case, "label": project.config.functions}


def functions_folder(project: Project, warn: Callable[[str], None]) -> FunctionsFolder:
    """Return the project's functions folder; what cannot be pushed is told to `warn`."""
    return FunctionsFolder(
        project.functions, label=project.config.functions, requirements=project.requirements, warn=warn
    )


def push_files(folder: FunctionsFolder, changed: tuple[str, ...] = ()) -> dict[str, PushFile]:
    """Return the files to push; `changed` are paths whose content is read in any case.

    Raises:
        ProjectError: a module and a folder have one name.
    """
    return {path: PushFile(file.sha256, file.content) for path, file in folder.scan(changed).items()}


def push_once(ctx: Context, target: Target, client: AdminClient) -> PushResult:
    """Push what is on disk.

    Raises:
        Failure: the target is production (exit 9).
        DeploymentError: the push was refused; the old version serves on.
    """
    if target.production:
        raise errors.Failure("ConsentRequired", f'"{target.name}" is production: --push is not allowed')
    project = ctx.project
    files = push_files(functions_folder(project, ctx.output.warn))
    return client.push(files, push_config(project))
