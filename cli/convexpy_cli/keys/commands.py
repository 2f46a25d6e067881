"""`convexpy keys`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from convexpy_cli.context import Invocation
from convexpy_cli.options import leaf_command


@leaf_command(
    examples=(
        "convexpy keys create ci --kind deploy --expires 90d",
        "convexpy keys create reports --kind run --functions 'reports:*'",
        "convexpy keys create ci --save-env .env.production",
        "convexpy keys create way-back-in --kind admin --data /var/lib/convexpy/data",
    )
)
def keys_create(
    run: Invocation,
    name: Annotated[str, Argument(help="what the key is for")],
    kind: Annotated[str, Option("--kind", help="admin, deploy, read-only or run")] = "deploy",
    functions: Annotated[
        list[str] | None, Option("--functions", help="for --kind run: paths, with * as wildcard; repeatable")
    ] = None,
    expires: Annotated[str | None, Option("--expires", help="90d, 12h, 30m [never]")] = None,
    save_env: Annotated[
        str | None, Option("--save-env", metavar="FILE", help="write it there as CONVEXPY_DEPLOY_KEY instead")
    ] = None,
    data: Annotated[
        Path | None,
        Option("--data", metavar="DIR", help="on the server's machine: its data folder, in place of a key"),
    ] = None,
    secret_file: Annotated[
        Path | None,
        Option(
            "--secret-file", metavar="FILE", help="with --data: the file that the server gets its secret from"
        ),
    ] = None,
) -> None:
    """Make an admin key and print it, once, alone on stdout. It is kept nowhere.

    Kinds: admin opens everything; deploy pushes, runs, reads logs and sets variables; read-only runs queries and reads
    data and logs; run calls the functions named. With --data no key is needed, whether the server runs or not: who may
    read the secret of the deployment owns it. Exit codes: 0 done, 2 bad kind or time, 3 no data folder, 5 the key in
    use may not.
    """
    from convexpy_cli.keys import making

    making.create(run, name, kind, tuple(functions or ()), expires, save_env, data, secret_file)


@leaf_command(formats=("human", "plain", "json"), examples=("convexpy keys list",))
def keys_list(run: Invocation) -> None:
    """List the deployment's admin keys: name, kind, how they begin, when made, last used, expiring. Never a key.

    Exit codes: 0 done, 5 the key in use may not.
    """
    from convexpy_cli.keys import making

    with run.connected("keys list") as (_, client):
        keys = client.admin_keys()
    columns = ["name", "kind", "prefix", "created", "last used", "expires"]
    run.output.table(columns, [making.cells(key) for key in keys], keys)


@leaf_command(
    examples=("convexpy keys rotate ci", "convexpy keys rotate ci --grace 2d --save-env .env.production")
)
def keys_rotate(
    run: Invocation,
    which: Annotated[str, Argument(help="the name, or the prefix that `keys list` shows")],
    grace: Annotated[
        str, Option("--grace", help="how long the old key stays valid; 0 ends it at once")
    ] = "1h",
    save_env: Annotated[
        str | None, Option("--save-env", metavar="FILE", help="write it there as CONVEXPY_DEPLOY_KEY instead")
    ] = None,
) -> None:
    """Make a new key with the name and the rights of one, and print it, once, alone on stdout.

    The old key goes on for the time of grace, under another name in `keys list`. The new one lasts as long as the old one
    was made for. Exit codes: 0 done, 2 no such key, the deployment's first one or a bad time, 9 it is the key in
    use and --grace is 0.
    """
    from convexpy_cli.keys import making

    making.rotate(run, which, grace, save_env)


@leaf_command(examples=("convexpy keys revoke ci",))
def keys_revoke(
    run: Invocation, which: Annotated[str, Argument(help="the name, or the prefix that `keys list` shows")]
) -> None:
    """Make a key worthless at once. The key in use needs --allow=key-revoke.

    Exit codes: 0 done, 2 no such key, 9 it is the key in use.
    """
    from convexpy_cli.keys import making

    with run.connected("keys revoke", writes=True) as (target, client):
        used = target.admin_key or ""
        matching = [key for key in client.admin_keys() if which in (key["name"], key["prefix"])]
        making.check_not_in_use(run, matching, used)
        revoked = client.revoke_key(which)
    run.output.result(revoked)
    run.output.step("ok", f"{revoked['name']} is revoked")
