"""The commands of `convexpy env`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import msgspec

from convexpy_cli import errors
from convexpy_cli.command import argument, command, family, option
from convexpy_cli.context import Context

app = family("Manage environment variables of the deployment.")


@command(
    app,
    "list",
    formats=("human", "plain", "json"),
    examples=("convexpy env list", "convexpy env list --reveal > .env"),
)
def env_list(
    ctx: Context,
    reveal: Annotated[
        bool, option("--reveal", "Print the values too, in the format of an env file.")
    ] = False,
    names_only: Annotated[bool, option("--names-only", "Print names only.")] = False,
) -> None:
    """List environment variables with a fingerprint of each value.

    The fingerprint changes when the value changes, and reveals nothing else about it.
    """
    from convexpy.project import quote_value
    from convexpy_cli.output.units import local_time

    with ctx.connected("env list") as (_, client):
        rows: list[dict[str, Any]] = msgspec.to_builtins(client.described_environment())
        variables = client.environment() if reveal else {}
    if reveal:
        rows = [{**row, "value": variables.get(row["name"])} for row in rows]
    if ctx.settings.machine:
        ctx.output.result(rows)
    elif reveal:
        for name, value in variables.items():
            ctx.output.text(f"{name}={quote_value(value)}")
    elif names_only:
        for row in rows:
            ctx.output.text(row["name"])
    else:
        cells = [
            [row["name"], local_time(row["updatedAt"]), str(row["length"]), row["fingerprint"]]
            for row in rows
        ]
        ctx.output.table(["name", "set", "length", "fingerprint"], cells, rows)


@command(app, "get", examples=("convexpy env get API_KEY",))
def env_get(ctx: Context, name: Annotated[str, argument("Name of the variable.")]) -> None:
    """Print the value of one variable."""
    with ctx.connected("env get") as (_, client):
        value = client.environment().get(name)
    if value is None:
        raise errors.Failure("EnvNotSet", f"{name} is not set", hint=f"convexpy env set {name}")
    ctx.output.value({"name": name, "value": value}, value)


@command(
    app,
    "set",
    examples=(
        "convexpy env set NAME value",
        "convexpy env set A=1 B=2",
        "cat key.pem | convexpy env set KEY",
        "convexpy env set --from-file .env.dev",
    ),
    secret_values=True,
)
def env_set(
    ctx: Context,
    words: Annotated[
        list[str] | None,
        argument(
            "NAME VALUE, or NAME alone (its value is read from stdin or asked for), or NAME=VALUE …", "NAME"
        ),
    ] = None,
    from_file: Annotated[
        str | None, option("--from-file FILE", "Read the value of NAME, or many variables, from a file.")
    ] = None,
    replace: Annotated[
        bool, option("--replace-existing", "With many variables: also change those already set.")
    ] = False,
) -> None:
    """Set one or more environment variables. Either all of them are set or none."""
    from convexpy_cli.env import updates

    wanted = updates.wanted(ctx, words or [], from_file)
    with ctx.connected("env set", writes=True) as (_, client):
        present = updates.present_values(client)
        changes = updates.changes(present, wanted, replace=replace or bool(words))
        client.update_environment(changes.to_send(wanted))
    ctx.output.result(changes.to_json())
    ctx.output.step("ok", changes.summary())


@command(app, "remove", examples=("convexpy env remove OLD_KEY",))
def env_remove(
    ctx: Context, names: Annotated[list[str], argument("Names of the variables.", "NAME")]
) -> None:
    """Remove environment variables. Names that are not set are ignored."""
    from convexpy_cli.env import updates

    with ctx.connected("env remove", writes=True) as (_, client):
        present = updates.present_values(client)
        client.update_environment(dict.fromkeys(names, None))
    changes = updates.Changes(removed=[name for name in names if name in present])
    ctx.output.result(changes.to_json())
    ctx.output.step("ok", changes.summary())


@command(
    app,
    "pull",
    examples=("convexpy env pull", "convexpy env pull .env.staging -d staging --replace-existing"),
)
def env_pull(
    ctx: Context,
    file: Annotated[str, argument("File to write to.")] = ".env.local",
    replace: Annotated[
        bool, option("--replace-existing", "Also change variables that have another value in the file.")
    ] = False,
) -> None:
    """Add the deployment's variables to an env file. Prints their names, never their values.

    Other lines of the file stay as they are. A new file is readable by its owner only.
    """
    from convexpy.project import read_env_file, update_env_file
    from convexpy_cli.env import updates

    with ctx.connected("env pull") as (_, client):
        variables = client.environment()
    path = Path(file)
    try:
        changes = updates.changes(read_env_file(path), variables, replace=True)
        kept = [] if replace else changes.changed
        changes.changed = changes.changed if replace else []
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


@command(
    app,
    "diff",
    formats=("human", "plain", "json"),
    examples=("convexpy env diff .env.production -d prod", "convexpy env diff staging"),
)
def env_diff(
    ctx: Context,
    other: Annotated[str, argument("An env file or another deployment.", "FILE|DEPLOYMENT")],
) -> int:
    """Compare variables with an env file or another deployment.

    Prints names, never values. Exits with 1 if they differ.
    """
    from convexpy_cli.env import updates

    with ctx.connected("env diff") as (_, client):
        here = client.environment()
    there = updates.read_other(ctx, other)
    both = sorted(name for name in here if name in there)
    found = {
        "onlyHere": sorted(name for name in here if name not in there),
        "onlyThere": sorted(name for name in there if name not in here),
        "different": [name for name in both if here[name] != there[name]],
        "same": [name for name in both if here[name] == there[name]],
    }
    words = {"onlyHere": "only here", "onlyThere": "only there", "different": "different"}
    rows = [[name, word] for kind, word in words.items() for name in found[kind]]
    ctx.output.table(["name", "where"], rows, found)
    if not rows:
        ctx.output.step("ok", f"the same: {len(both)} variables")
    return errors.FAILED if rows else errors.OK
