"""`convexpy env`."""

from __future__ import annotations

from typing import Annotated

from typer import Argument, Option

from convexpy_cli import failure
from convexpy_cli.invocation import Invocation
from convexpy_cli.options import leaf_command


@leaf_command(
    formats=("human", "plain", "json"), examples=("convexpy env list", "convexpy env list --reveal > .env")
)
def env_list(
    run: Invocation,
    reveal: Annotated[bool, Option("--reveal", help="print the values, too")] = False,
    names_only: Annotated[bool, Option("--names-only", help="names alone")] = False,
) -> None:
    """List the deployment's variables: name, length and a fingerprint that shows whether a value changed.

    Values are printed only with --reveal, quoted so that `env set --from-file` reads them back.

    Exit codes: 0 done, 5 key, 6 unreachable.
    """
    from convexpy_cli import environment, targets

    with targets.connected(run, "env list") as (_, client):
        variables = client.environment()
        rows = environment.described(variables, client.admin_key or "", reveal=reveal)
    if run.settings.machine:
        run.output.result(rows)
    elif reveal:
        for line in environment.dotenv(variables):
            run.output.text(line)
    elif names_only:
        for name in variables:
            run.output.text(name)
    else:
        cells = [[row["name"], str(row["length"]), row["fingerprint"]] for row in rows]
        run.output.table(["name", "length", "fingerprint"], cells, rows)


@leaf_command(examples=("convexpy env get API_KEY",))
def env_get(run: Invocation, name: Annotated[str, Argument(help="the variable")]) -> None:
    """Print the value of one variable.

    Exit codes: 0 done, 1 it is not set, 5 key, 6 unreachable.
    """
    from convexpy_cli import targets

    with targets.connected(run, "env get") as (_, client):
        value = client.environment().get(name)
    if value is None:
        raise failure.Failure(
            "EnvNotSet", f"{name} is not set", failure.FAILED, hint=f"convexpy env set {name}"
        )
    run.output.result({"name": name, "value": value}, value)


@leaf_command(
    examples=(
        "convexpy env set NAME value",
        "cat key.pem | convexpy env set KEY",
        "convexpy env set --from-file .env.dev",
    )
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
    from convexpy_cli import environment, targets

    wanted = environment.wanted(run, name, value, from_file)
    with targets.connected(run, "env set", writes=True) as (_, client):
        changes = environment.changes(client.environment(), wanted, replace=replace or name is not None)
        client.update_environment(changes.to_send(wanted))
    run.output.result(changes.to_json())
    run.output.step("ok", changes.summary())


@leaf_command(examples=("convexpy env remove OLD_KEY",))
def env_remove(run: Invocation, names: Annotated[list[str], Argument(help="the variables")]) -> None:
    """Remove variables. One that is not set is no error.

    Exit codes: 0 done, 5 key, 6 unreachable, 9 a protected deployment without consent.
    """
    from convexpy_cli import environment, targets

    with targets.connected(run, "env remove", writes=True) as (_, client):
        present = client.environment()
        client.update_environment(dict.fromkeys(names, None))
    changes = environment.Changes(removed=[name for name in names if name in present])
    run.output.result(changes.to_json())
    run.output.step("ok", changes.summary())
