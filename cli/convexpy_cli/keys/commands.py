"""The commands of `convexpy keys`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Literal

from convexpy_cli import errors
from convexpy_cli.command import argument, command, family, option
from convexpy_cli.context import Context

app = family("Manage admin keys of the deployment.")

Which = Annotated[str, argument("Name, or the prefix that `keys list` shows.", "NAME")]
SaveEnv = Annotated[str | None, option("--save-env FILE", "Write it to an env file as CONVEXPY_DEPLOY_KEY.")]


@command(
    app,
    "create",
    examples=(
        "convexpy keys create ci --kind deploy --expires 90d",
        "convexpy keys create reports --kind run --functions 'reports:*'",
        "convexpy keys create recovery --kind admin --data /var/lib/convexpy/data",
    ),
)
def keys_create(
    ctx: Context,
    name: Annotated[str, argument("What the key is for.")],
    kind: Annotated[
        Literal["admin", "deploy", "preview", "read-only", "run"],
        option("--kind KIND", "admin, deploy, preview, read-only or run."),
    ] = "deploy",
    functions: Annotated[
        list[str] | None,
        option("--functions PATH", "With --kind run: functions; * is a wildcard; repeatable."),
    ] = None,
    expires: Annotated[str | None, option("--expires TIME", "90d, 12h or 30m [default: never].")] = None,
    save_env: SaveEnv = None,
    data: Annotated[
        Path | None, option("--data DIR", "On the server: use its data folder instead of a key.")
    ] = None,
    secret_file: Annotated[
        Path | None, option("--secret-file FILE", "With --data: the secret file of the server.")
    ] = None,
) -> None:
    """Create an admin key and print it once. It is not stored anywhere.

    admin allows everything; deploy pushes, runs, reads logs and sets variables; preview makes and deploys previews;
    read-only runs queries and reads data and logs; run calls only the named functions.
    """
    from convexpy_cli.keys import making
    from convexpy_cli.output.units import span_s

    granted = tuple(functions or ())
    if (kind == "run") != bool(granted):
        raise errors.usage(
            "--kind run requires --functions, and --functions requires --kind run",
            "--kind run --functions 'reports:*'",
        )
    expires_at = None if expires is None else (time.time() + span_s(expires)) * 1000
    if data is not None:
        from convexpy_cli.keys import data_folder

        made = data_folder.create(data, name, kind, granted, expires_at, secret_file)
    else:
        with ctx.connected("keys create", writes=True) as (_, client):
            made = client.create_key(name, kind, granted, expires_at)
    making.hand_over(ctx, made, save_env)
    if kind == "deploy":
        ctx.output.note("a deploy key can push code that reads and changes all data and reads all variables")


@command(app, "list", formats=("human", "plain", "json"), examples=("convexpy keys list",))
def keys_list(ctx: Context) -> None:
    """List admin keys with their kinds, last use and expiry."""
    from convexpy_cli.keys import making

    with ctx.connected("keys list") as (_, client):
        keys = client.admin_keys()
    columns = ["name", "kind", "prefix", "created", "last used", "expires"]
    ctx.output.table(columns, [making.cells(key) for key in keys], keys)


@command(
    app,
    "rotate",
    examples=("convexpy keys rotate ci", "convexpy keys rotate ci --grace 2d --save-env .env.production"),
)
def keys_rotate(
    ctx: Context,
    which: Which,
    grace: Annotated[
        str, option("--grace TIME", "How long the old key stays valid; 0 revokes it now.")
    ] = "1h",
    save_env: SaveEnv = None,
) -> None:
    """Replace a key and print the new one once.

    The new key has the same name, rights and lifetime.
    """
    from convexpy_cli.keys import making
    from convexpy_cli.output.units import local_time, span_s

    grace_s = 0.0 if grace in ("0", "0s") else span_s(grace)
    with ctx.connected("keys rotate", writes=True) as (target, client):
        used = making.in_use(client, target, which)
        if not grace_s:
            making.check_not_in_use(ctx, used)
        made = client.rotate_key(which, grace_s * 1000)
    if used:
        ctx.output.note(f"this was the key in use; replace it in {target.key_source}")
    making.hand_over(ctx, made, save_env)
    ends = "has ended" if not grace_s else f"is valid until {local_time(made.old.expires_at)}"
    ctx.output.note(f"the old key {ends} ({made.old.name} in `keys list`)")


@command(app, "revoke", examples=("convexpy keys revoke ci",))
def keys_revoke(ctx: Context, which: Which) -> None:
    """Revoke a key immediately. Revoking the key in use requires --allow=key-revoke."""
    from convexpy_cli.keys import making

    with ctx.connected("keys revoke", writes=True) as (target, client):
        making.check_not_in_use(ctx, making.in_use(client, target, which))
        revoked = client.revoke_key(which)
    ctx.output.result(revoked)
    ctx.output.step("ok", f"{revoked.name} is revoked")


@command(
    app,
    "rotate-signing",
    formats=("human", "plain", "json"),
    examples=("convexpy keys rotate-signing", "convexpy keys rotate-signing --revoke"),
)
def keys_rotate_signing(
    ctx: Context,
    revoke: Annotated[
        bool, option("--revoke", "Refuse tokens of the old keys now, instead of when they expire.")
    ] = False,
) -> None:
    """Sign users' access tokens with a new key from now on.

    This is for tokens that the deployment issues itself (convexpy.auth). People stay signed in: their clients get new tokens.
    """
    from convexpy_cli.output.units import local_time

    with ctx.connected("keys rotate-signing", writes=True) as (_, client):
        keys = client.rotate_signing_key(revoke=revoke)
    rows = [
        [key.key_id, local_time(key.created_at), "" if key.retired_at is None else local_time(key.retired_at)]
        for key in keys
    ]
    ctx.output.table(["key", "created", "retired"], rows, keys)
