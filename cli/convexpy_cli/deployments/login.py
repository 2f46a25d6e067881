"""`convexpy login` and `convexpy logout`."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from typer import Argument, Option

from convexpy_cli import errors
from convexpy_cli.context import Invocation
from convexpy_cli.options import leaf_command


@leaf_command(
    examples=("convexpy login https://api.example.com --name prod", "convexpy login URL --key - < key.txt"),
    secret_values=True,
)
def login(
    run: Invocation,
    server: Annotated[str | None, Argument(help="its URL")] = None,
    name: Annotated[str | None, Option("--name", help="call it so, in all projects")] = None,
    key: Annotated[str | None, Option("--key", help="its key; `-` reads it from stdin [asked for]")] = None,
) -> None:
    """Remember the key of a server, after trying it. There are no accounts.

    Exit codes: 0 done, 2 no URL, 4 nobody to ask for the key, 5 key not accepted, 6 nothing answers.
    """
    from convexpy_cli.deployments import names

    where = server or run.settings.url
    if where is None:
        raise errors.usage("which server?", "convexpy login https://…")
    given = key if key is not None else run.settings.admin_key
    remembered = names.login(run, where, name, given)
    run.output.result(remembered, remembered["name"] or remembered["origin"])


@leaf_command(formats=("human", "plain", "json"), examples=("convexpy login status",))
def login_status(run: Invocation) -> None:
    """List the servers whose keys are remembered. Contacts none of them, shows no key.

    Exit codes: 0 done, 3 the file of keys is wrong, or others can read it.
    """
    from convexpy_cli.deployments import names

    rows = names.remembered()
    cells = [
        [
            row["origin"],
            row["name"] or "-",
            row["prefix"] + "|…",
            "-"
            if row["addedAt"] is None
            else datetime.fromtimestamp(row["addedAt"] / 1000).astimezone().strftime("%Y-%m-%d %H:%M"),
        ]
        for row in rows
    ]
    run.output.table(["server", "name", "key", "added"], cells, rows)


@leaf_command(examples=("convexpy logout prod", "convexpy logout --all"))
def logout(
    run: Invocation,
    which: Annotated[str | None, Argument(help="a name or URL")] = None,
    everything: Annotated[bool, Option("--all", help="every key that is remembered")] = False,
) -> None:
    """Forget the key of a server. It stays valid: `keys revoke` ends it.

    Exit codes: 0 done, 2 which one?, 3 none is remembered.
    """
    from convexpy_cli.deployments import names

    forgotten = names.logout(run, which, everything=everything)
    run.output.result(forgotten, "\n".join(forgotten["forgotten"]))
