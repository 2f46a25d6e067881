"""What a deploy makes live: the files of this project, or a version that the deployment has kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from convexpy.client import AdminClient, PushFile
from convexpy.project import FunctionsFolder
from convexpy.protocol.admin_api import PushInfo
from convexpy_cli import errors
from convexpy_cli.context import Context
from convexpy_cli.deploy.options import DeployOptions
from convexpy_cli.deploy.surroundings import Commit, current_actor, variables_read
from convexpy_cli.output.units import commit_text

VERSIONS_LISTED = 1000

# What every system has: code that reads these needs nothing from the deployment.
_OF_THE_SYSTEM = {
    "PATH",
    "HOME",
    "LANG",
    "TZ",
    "TMPDIR",
    "PYTHONPATH",
    "CONVEX_CLOUD_URL",
    "CONVEX_SITE_URL",
    "CONVEXPY_DEVELOPMENT",
}


@dataclass(frozen=True, kw_only=True)
class Contents:
    """What is pushed. `fields` are those of the request that depend on it, `places` where variables are read.

    `called` is what people call it where it has no commit. `rollback` is the number of a kept version.
    """

    called: str
    commit: Commit
    fields: dict[str, Any]
    files: Mapping[str, PushFile] = field(default_factory=dict[str, PushFile])
    config: dict[str, Any] = field(default_factory=dict[str, Any])
    places: Mapping[str, str] = field(default_factory=dict[str, str])
    rollback: int | None = None

    @property
    def text(self) -> str:
        """Return the commit, or what it is called without one."""
        return commit_text(self.commit.sha, self.commit.clean is False) or self.called


def of_project(ctx: Context, options: DeployOptions, commit: Commit) -> Contents:
    """Return the files of the project's functions folder."""
    project = ctx.project
    files = FunctionsFolder.of(project, ctx.output.warn).scan()
    places = variables_read(files, project.config.functions)
    note = {
        "message": options.message if options.message is not None else commit.subject,
        "actor": options.actor or current_actor(project.root),
        "commit": commit.sha,
        "branch": commit.branch,
        "dirty": commit.clean is False,
    }
    fields = {
        "note": note,
        "required": list(project.config.required_env),
        "reads": [name for name in places if name not in _OF_THE_SYSTEM],
        "largeTableDocuments": project.config.large_table_documents,
    }
    config = project.push_config
    return Contents(
        called="this folder", commit=commit, fields=fields, files=files, config=config, places=places
    )


def of_kept_version(ctx: Context, options: DeployOptions, client: AdminClient) -> Contents:
    """Return the version to bring back: the one that is asked for, or the newest before the live one that differs from it.

    Raises:
        Failure: it is not kept, or it is the live one.
    """
    history = client.history(VERSIONS_LISTED)
    wanted = _named(history, options.version) if options.version is not None else _before(history)
    project = ctx.project_or_none
    about = f": {wanted.message}" if wanted.message else ""
    message = f"rollback to version {wanted.version}{about}" if options.message is None else options.message
    actor = options.actor or current_actor(Path.cwd() if project is None else project.root)
    fields: dict[str, Any] = {"note": {"message": message, "actor": actor}, "rollback": wanted.version}
    if project is not None:
        fields["largeTableDocuments"] = project.config.large_table_documents
    return Contents(
        called=f"version {wanted.version}",
        commit=Commit(wanted.commit, wanted.branch, wanted.message, not wanted.dirty),
        fields=fields,
        rollback=wanted.version,
    )


def _named(history: Sequence[PushInfo], number: int) -> PushInfo:
    found = [version for version in history if version.version == number]
    if found and found[0].state == "active":
        raise errors.Failure(
            "VersionNotKept",
            f"version {number} is the one that serves",
            hint="convexpy deployment history",
        )
    if not found or not found[0].kept:
        kept = [f"{version.version}" for version in history if version.kept and version.state != "active"]
        which = f"those that can be brought back are {', '.join(kept)}" if kept else "nor is any other"
        raise errors.Failure(
            "VersionNotKept",
            f"version {number} is not kept; {which}",
            hint="convexpy deployment history",
        )
    return found[0]


def _before(history: Sequence[PushInfo]) -> PushInfo:
    """Return the version that served before; one whose files are those of the live one would change nothing."""
    active = [version.content_hash for version in history if version.state == "active"]
    for version in history:
        if version.kept and version.state != "active" and version.content_hash not in active:
            return version
    raise errors.Failure(
        "VersionNotKept",
        "the deployment keeps no version from before the one that serves",
        hint="convexpy deployment history",
    )


def check_options(options: DeployOptions) -> None:
    """Refuse what makes no sense with or without `--rollback`.

    Raises:
        Failure: it was given.
    """
    if not options.rollback:
        if options.version is not None:
            raise errors.usage(
                f"a version, {options.version}, without --rollback",
                f"convexpy deploy --rollback {options.version}",
            )
        return
    given = {
        "--cmd": options.cmd is not None,
        "--cmd-after": options.cmd_after is not None,
        "--typecheck": options.typecheck is not None,
        "--codegen": options.codegen is not None,
        "--push-all": options.push_all,
        "--no-wait-indexes": not options.wait_indexes,
    }
    for flag, is_given in given.items():
        if is_given:
            raise errors.usage(
                f"{flag} is about the files of this folder, and --rollback pushes none of them",
                "leave it out, or check the older commit out and deploy it",
            )
