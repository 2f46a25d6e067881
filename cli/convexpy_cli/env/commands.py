"""`convexpy env`."""

from __future__ import annotations

from typing import Annotated, Any

from typer import Argument, Option

from convexpy_cli import errors
from convexpy_cli.context import Invocation
from convexpy_cli.options import leaf_command


@leaf_command(
    formats=("human", "plain", "json"), examples=("convexpy env list", "convexpy env list --reveal > .env")
)
def env_list(
    run: Invocation,
    reveal: Annotated[bool, Option("--reveal", help="print the values, too")] = False,
    names_only: Annotated[bool, Option("--names-only", help="names alone")] = False,
) -> None:
    """List the deployment's variables: name, when set, length, and a fingerprint that shows whether a value changed.

    The fingerprint is keyed by the deployment's secret: it tells nothing but "same as before". Values are printed only with
    --reveal, quoted so that `env set --from-file` reads them back. Keys that may only set variables see the list, too.

    Exit codes: 0 done, 5 key, 6 unreachable.
    """
    from convexpy_cli.env import updates

    with run.connected("env list") as (_, client):
        rows: list[dict[str, Any]] = client.described_environment()
        variables = client.environment() if reveal else {}
    if reveal:
        rows = [{**row, "value": variables.get(row["name"])} for row in rows]
    if run.settings.machine:
        run.output.result(rows)
    elif reveal:
        for line in updates.dotenv(variables):
            run.output.text(line)
    elif names_only:
        for row in rows:
            run.output.text(row["name"])
    else:
        cells = [updates.cells(row) for row in rows]
        run.output.table(["name", "set", "length", "fingerprint"], cells, rows)


@leaf_command(examples=("convexpy env get API_KEY",))
def env_get(run: Invocation, name: Annotated[str, Argument(help="the variable")]) -> None:
    """Print the value of one variable.

    Exit codes: 0 done, 1 it is not set, 5 key, 6 unreachable.
    """
    with run.connected("env get") as (_, client):
        value = client.environment().get(name)
    if value is None:
        raise errors.Failure(
            "EnvNotSet", f"{name} is not set", errors.FAILED, hint=f"convexpy env set {name}"
        )
    run.output.value({"name": name, "value": value}, value)


@leaf_command(
    examples=(
        "convexpy env set NAME value",
        "cat key.pem | convexpy env set KEY",
        "convexpy env set --from-file .env.dev",
    ),
    secret_values=True,
)
def env_set(
    run: Invocation,
    name: Annotated[str | None, Argument(help="the variable, or NAME=VALUE")] = None,
    value: Annotated[str | None, Argument(help="its value; without it, stdin or a hidden prompt")] = None,
    from_file: Annotated[str | None, Option("--from-file", help="value of NAME, or many variables")] = None,
    replace: Annotated[
        bool, Option("--replace-existing", help="with many: change those that are set")
    ] = False,
) -> None:
    """Set variables of the deployment, all of them or none.

    Exit codes: 0 done, 2 bad name, 4 no value and nobody to ask, 9 values would change.
    """
    from convexpy_cli.env import updates

    wanted = updates.wanted(run, name, value, from_file)
    with run.connected("env set", writes=True) as (_, client):
        present = updates.present_values(client)
        changes = updates.changes(present, wanted, replace=replace or name is not None)
        client.update_environment(changes.to_send(wanted))
    run.output.result(changes.to_json())
    run.output.step("ok", changes.summary())


@leaf_command(examples=("convexpy env remove OLD_KEY",))
def env_remove(run: Invocation, names: Annotated[list[str], Argument(help="the variables")]) -> None:
    """Remove variables. One that is not set is no error.

    Exit codes: 0 done, 5 key, 6 unreachable, 9 a protected deployment without consent.
    """
    from convexpy_cli.env import updates

    with run.connected("env remove", writes=True) as (_, client):
        present = updates.present_values(client)
        client.update_environment(dict.fromkeys(names, None))
    changes = updates.Changes(removed=[name for name in names if name in present])
    run.output.result(changes.to_json())
    run.output.step("ok", changes.summary())


@leaf_command(
    examples=(
        "convexpy env pull",
        "convexpy env pull .env.staging -d staging",
        "convexpy env pull --replace-existing",
    )
)
def env_pull(
    run: Invocation,
    file: Annotated[str, Argument(help="where to")] = ".env.local",
    replace: Annotated[
        bool, Option("--replace-existing", help="also change names that the file has with other values")
    ] = False,
) -> None:
    """Write the deployment's variables into an env file: those that it does not have. Prints names, never values.

    A name that the file has with another value is named and left alone without --replace-existing; every other line of the
    file stays as it is, and a new file is for its owner's eyes only.

    Exit codes: 0 done, 1 the file can't be written, 5 key, 6 unreachable.
    """
    from convexpy_cli.env import files

    with run.connected("env pull") as (_, client):
        files.pull(run, client.environment(), file, replace=replace)


@leaf_command(
    formats=("human", "plain", "json"),
    examples=("convexpy env diff .env.production -d prod", "convexpy env diff staging"),
)
def env_diff(
    run: Invocation,
    other: Annotated[str, Argument(metavar="FILE|DEPLOYMENT", help="an env file, or a deployment")],
) -> int:
    """Compare the deployment's variables with a file or another deployment. Prints names, never values.

    Exit codes: 0 they are the same, 1 they differ, 2 there is no such file, 3 no such deployment, 5 key, 6 unreachable.
    """
    from convexpy_cli.env import files

    with run.connected("env diff") as (_, client):
        here = client.environment()
    return files.show_difference(run, here, files.read_other(run, other))
