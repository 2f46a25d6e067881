"""The work of `convexpy keys`: which key is in use, where a new one goes, and how they are listed."""

from __future__ import annotations

from pathlib import Path

import msgspec

from convexpy.client import AdminClient
from convexpy.project import Target, update_env_file
from convexpy.protocol.admin_api import KeyInfo, NewKey
from convexpy_cli import errors
from convexpy_cli.context import Context
from convexpy_cli.output.units import local_minute


def in_use(client: AdminClient, target: Target, which: str) -> list[KeyInfo]:
    """Return the key of a name or prefix if the command itself uses it."""
    used = (target.admin_key or "").partition(":")[0]
    matching = [key for key in client.admin_keys() if which in (key.name, key.prefix)]
    return [key for key in matching if used.startswith(key.prefix)]


def check_not_in_use(ctx: Context, used: list[KeyInfo]) -> None:
    """Refuse to end the key that this command itself uses, unless it is agreed to."""
    if used and "key-revoke" not in ctx.settings.allow:
        raise errors.consent(f"{used[0].name} is the key in use", "--allow=key-revoke, or use another key")


def hand_over(ctx: Context, made: NewKey, save_env: str | None) -> None:
    """Give a new key to the caller: the only time that it is anywhere."""
    if save_env is None:
        ctx.output.result(made, made.key)
        ctx.output.note(f"{made.name}: the key is shown only this once")
        return
    update_env_file(Path(save_env), {"CONVEXPY_DEPLOY_KEY": made.key})
    ctx.output.result({**msgspec.to_builtins(made), "key": None, "savedIn": save_env})
    ctx.output.step("ok", f"wrote CONVEXPY_DEPLOY_KEY to {save_env}")


def cells(key: KeyInfo) -> list[str]:
    """Return a key as a row of the list."""
    kind = key.kind + (f" {' '.join(key.functions)}" if key.functions else "")
    times = [local_minute(key.created_at), local_minute(key.last_used_at)]
    return [key.name, kind, key.prefix + "…", *times, local_minute(key.expires_at, "never")]
