"""The work of `convexpy keys`: times as people write them, and where a new key goes."""

from __future__ import annotations

import time
from datetime import datetime
from pathlib import Path
from typing import Any

from convexpy_cli import failure, targets
from convexpy_cli.invocation import Invocation
from convexpy_cli.moments import span_s

KINDS = ("admin", "deploy", "read-only", "run")


def create(
    run: Invocation,
    name: str,
    kind: str,
    functions: tuple[str, ...],
    expires: str | None,
    save_env: str | None,
    data: Path | None = None,
) -> None:
    """Make a key; print it, or write it into a file of variables."""
    if kind not in KINDS:
        raise failure.usage(f"--kind {kind!r} is unknown", ", ".join(KINDS))
    if (kind == "run") != bool(functions):
        raise failure.usage("--kind run and --functions go together", "--kind run --functions 'reports:*'")
    expires_at = None if expires is None else (time.time() + span_s(expires)) * 1000
    if data is not None:
        from convexpy_cli import key_drop

        made = key_drop.create(data, name, kind, functions, expires_at)
    else:
        with targets.connected(run, "keys create", writes=True) as (_, client):
            made = client.create_key(name, kind, functions, expires_at)
    if save_env is None:
        run.output.result(made, made["key"])
        run.output.note(f"{name}: this is the only time that the key is shown")
        return
    from convexpy.project import update_env_file

    update_env_file(Path(save_env), {"CONVEXPY_DEPLOY_KEY": made["key"]})
    run.output.result({**made, "key": None, "savedIn": save_env})
    run.output.step("ok", f"wrote CONVEXPY_DEPLOY_KEY to {save_env}")


def cells(key: dict[str, Any]) -> list[str]:
    """Return a key's line of the list."""
    kind = key["kind"] + (f" {' '.join(key['functions'])}" if key["functions"] else "")
    times = [
        _moment(key["createdAt"], "-"),
        _moment(key["lastUsedAt"], "-"),
        _moment(key["expiresAt"], "never"),
    ]
    return [key["name"], kind, key["prefix"] + "…", *times]


def _moment(ms: float | None, otherwise: str) -> str:
    return (
        otherwise if ms is None else datetime.fromtimestamp(ms / 1000).astimezone().strftime("%Y-%m-%d %H:%M")
    )
