"""`convexpy update`."""

from __future__ import annotations

from typing import Annotated

from typer import Option

from convexpy_cli import errors
from convexpy_cli.context import Invocation
from convexpy_cli.options import leaf_command


@leaf_command(examples=("convexpy update", "convexpy update --check", "convexpy update --run"))
def update(
    run: Invocation,
    check: Annotated[bool, Option("--check", help="ask the package index for the newest version")] = False,
    run_it: Annotated[bool, Option("--run", help="run the command")] = False,
) -> int:
    """Say how this copy was installed, and the command that updates it. Only --check asks anybody.

    Exit codes: 0 done, 1 with --check: there is a newer version, 6 the index does not answer.
    """
    from convexpy_cli.docs import about, updating

    info = about.version_info()
    command = updating.command_of(info["installMethod"])
    newest = updating.newest_version() if check else None
    found = {
        "version": info["version"],
        "installMethod": info["installMethod"],
        "command": command,
        "newest": newest,
    }
    if newest is not None:
        run.output.note(f"newest version: {newest}, this one: {info['version']}")
    if run_it:
        if command is None:
            raise errors.usage("a checkout is updated with git pull")
        return updating.execute(command)
    run.output.result(found, command or "git pull")
    return errors.FAILED if newest is not None and updating.is_newer(newest, info["version"]) else errors.OK
