"""The work of `convexpy env pull` and `convexpy env diff`: variables of a deployment beside those of a file or another one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from convexpy.project import read_env_file, update_env_file
from convexpy_cli import errors
from convexpy_cli.context import Context
from convexpy_cli.deployments import current
from convexpy_cli.env import updates


def pull(ctx: Context, variables: Mapping[str, str], file: str, *, replace: bool) -> None:
    """Write variables into an env file, which keeps what it has.

    Raises:
        Failure: it can't be read or written (exit 1).
        TextUnreadable: it is no text in its encoding.
    """
    path = Path(file)
    try:
        present = read_env_file(path)
        changes = updates.changes(present, variables, replace=True)
        kept = [] if replace else changes.changed
        changes.changed = [name for name in changes.changed if name not in kept]
        for mark, names in (("+", changes.added), ("~", changes.changed)):
            for name in names:
                ctx.output.note(f"{mark} {name}")
        for name in kept:
            ctx.output.note(f"  {name} has another value in {file} and was left unchanged")
        wanted = changes.to_send(variables)
        if wanted:
            path.touch(mode=0o600, exist_ok=True)
            update_env_file(path, wanted)
    except OSError as error:
        raise errors.Failure("FileNotWritable", f"{file}: {error.strerror}") from error
    ctx.output.result({"path": file, **changes.to_json(), "kept": kept})
    summary = changes.summary() + (f", {len(kept)} left unchanged (--replace-existing)" if kept else "")
    ctx.output.step("ok", f"{file}: {summary}")


def read_other(ctx: Context, other: str) -> dict[str, str]:
    """Return the variables of an env file, or of a deployment.

    Raises:
        Failure: the file can't be read (exit 2).
        ProjectError: there is no such deployment.
    """
    looks_like_file = other.startswith(".") or "/" in other.removeprefix("https://").removeprefix("http://")
    if Path(other).is_file() or (looks_like_file and not other.startswith(("http://", "https://"))):
        return updates.of_deployments(ctx, updates.read(other))
    with ctx.connected("env diff", target=current.named(ctx, other)) as (_, client):
        return client.environment()


def show_difference(ctx: Context, here: Mapping[str, str], there: Mapping[str, str]) -> int:
    """Show by name how two sets of variables differ; return 1 if they do."""
    both = [name for name in here if name in there]
    found = {
        "onlyHere": [name for name in here if name not in there],
        "onlyThere": [name for name in there if name not in here],
        "different": [name for name in both if here[name] != there[name]],
        "same": [name for name in both if here[name] == there[name]],
    }
    words = {"onlyHere": "only here", "onlyThere": "only there", "different": "different"}
    rows = [[name, word] for kind, word in words.items() for name in sorted(found[kind])]
    ctx.output.table(["name", "where"], rows, {kind: sorted(names) for kind, names in found.items()})
    if not rows:
        ctx.output.step("ok", f"the same: {len(both)} variables")
    return errors.FAILED if rows else errors.OK
