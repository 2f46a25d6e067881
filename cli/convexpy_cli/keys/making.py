"""The work of `convexpy keys`: times as people write them, and where a new key goes."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec

from convexpy.protocol.admin_api import KeyInfo, NewKey
from convexpy_cli import errors
from convexpy_cli.context import Context
from convexpy_cli.output.units import local_minute, local_time, span_s


def create(
    ctx: Context,
    name: str,
    kind: str,
    functions: tuple[str, ...],
    expires: str | None,
    save_env: str | None,
    data: Path | None = None,
    secret_file: Path | None = None,
) -> None:
    """Make a key; print it, or write it into a file of variables."""
    if (kind == "run") != bool(functions):
        raise errors.usage(
            "--kind run requires --functions, and --functions requires --kind run",
            "--kind run --functions 'reports:*'",
        )
    expires_at = None if expires is None else (time.time() + span_s(expires)) * 1000
    if data is not None:
        from convexpy_cli.keys import data_folder

        made = data_folder.create(data, name, kind, functions, expires_at, secret_file)
    else:
        with ctx.connected("keys create", writes=True) as (_, client):
            made = client.create_key(name, kind, functions, expires_at)
    _hand_over(ctx, made, save_env)
    if kind == "deploy":
        ctx.output.note("a deploy key can push code that reads and changes all data and reads all variables")


def rotate(ctx: Context, which: str, grace: str, save_env: str | None) -> None:
    """Put a new key in the place of one; print it, or write it into a file of variables."""
    grace_s = 0.0 if grace in ("0", "0s") else span_s(grace)
    with ctx.connected("keys rotate", writes=True) as (target, client):
        used = target.admin_key or ""
        matching = [key for key in client.admin_keys() if which in (key.name, key.prefix)]
        if not grace_s:
            check_not_in_use(ctx, matching, used)
        made = client.rotate_key(which, grace_s * 1000)
    if in_use(matching, used):
        ctx.output.note(f"this was the key in use; replace it in {target.key_source}")
    _hand_over(ctx, made, save_env)
    ends = "has ended" if not grace_s else f"is valid until {local_time(made.old.expires_at)}"
    ctx.output.note(f"the old key {ends} ({made.old.name} in `keys list`)")


def in_use(keys: list[KeyInfo], used: str) -> list[KeyInfo]:
    """Return those of the keys that the command itself uses."""
    return [key for key in keys if used.partition(":")[0].startswith(key.prefix)]


def check_not_in_use(ctx: Context, keys: list[KeyInfo], used: str) -> None:
    """Refuse to end the key that this command itself uses, unless it is agreed to."""
    found = in_use(keys, used)
    if found and "key-revoke" not in ctx.settings.allow:
        raise errors.consent(f"{found[0].name} is the key in use", "--allow=key-revoke, or use another key")


def _hand_over(ctx: Context, made: NewKey, save_env: str | None) -> None:
    """Give a new key to the caller: the only time that it is anywhere."""
    if save_env is None:
        ctx.output.result(made, made.key)
        ctx.output.note(f"{made.name}: the key is shown only this once")
        return
    from convexpy.project import update_env_file

    update_env_file(Path(save_env), {"CONVEXPY_DEPLOY_KEY": made.key})
    ctx.output.result({**msgspec.to_builtins(made), "key": None, "savedIn": save_env})
    ctx.output.step("ok", f"wrote CONVEXPY_DEPLOY_KEY to {save_env}")


def cells(key: KeyInfo) -> list[str]:
    """Return a key as a row of the list."""
    kind = key.kind + (f" {' '.join(key.functions)}" if key.functions else "")
    times = [local_minute(key.created_at), local_minute(key.last_used_at)]
    return [key.name, kind, key.prefix + "…", *times, local_minute(key.expires_at, "never")]
