"""`[limits]` of the file that `--config` names: every knob, checked before the server starts.

Names are those of `convexpy.limits.Knobs` with hyphens or underscores; `[limits.transaction]` holds what one query or
mutation may use.
"""

from __future__ import annotations

import difflib
import tomllib
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from convexpy.errors.texts import read_text
from convexpy.limits import Knobs
from convexpy.serve.options import ConfigInvalid

T = TypeVar("T", bound=msgspec.Struct)
_ZERO_ALLOWED = frozenset(
    {
        "actions_running_per_address",
        "connections_per_address",
        "history_s",
        "log_bytes_kept",
        "log_rows_kept",
        "scheduled_kept_s",
        "stop_grace_s",
    }
)


def read_limits(file: Path | None, defaults: Knobs) -> Knobs:
    """Return the limits of a configuration file; what it leaves out is as in `defaults`.

    Raises:
        ConfigInvalid: no such file, not TOML, an unknown name, or a value that makes no sense.
    """
    if file is None:
        return defaults
    try:
        document = tomllib.loads(read_text(file, only_utf8=True))
    except OSError as error:
        raise ConfigInvalid(f"cannot read {file}: {error.strerror}") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigInvalid(f"{file} is not valid TOML: {error}") from error
    for section in document:
        if section != "limits":
            raise _unknown(file, section, ["limits"], "section")
    limits = _table(file, "limits", document.get("limits", {}))
    given = dict(limits)
    transaction = _table(file, "limits.transaction", given.pop("transaction", {}))
    budget = _checked(file, "limits.transaction", transaction, defaults.transaction)
    return msgspec.structs.replace(_checked(file, "limits", given, defaults), transaction=budget)


def _table(file: Path, name: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ConfigInvalid(f"{file}: {name} must be a table", hint=f"[{name}]")
    return value


def _checked(file: Path, section: str, given: dict[str, Any], defaults: T) -> T:
    """Return the defaults with the given values in their place."""
    known = [name for name in type(defaults).__struct_fields__ if name != "transaction"]
    values: dict[str, int | float] = {}
    for key, value in given.items():
        name = key.replace("-", "_")
        if name not in known:
            raise _unknown(
                file, f"{section}.{key}", [f"{section}.{each.replace('_', '-')}" for each in known], "key"
            )
        values[name] = _number(f"{file}: {section}.{key}", name, value, getattr(defaults, name))
    return msgspec.structs.replace(defaults, **values)


def _number(place: str, name: str, value: Any, default: float) -> int | float:
    whole = isinstance(default, int)
    if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
        raise ConfigInvalid(f"{place} must be a {'whole ' if whole else ''}number, not {value!r}")
    if value < 0 or (value == 0 and name not in _ZERO_ALLOWED) or value == float("inf") or value != value:
        raise ConfigInvalid(f"{place} must be greater than 0, not {value!r}")
    return value if whole else float(value)


def _unknown(file: Path, key: str, known: list[str], what: str) -> ConfigInvalid:
    near = difflib.get_close_matches(key, known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"
    return ConfigInvalid(f"{file}: unknown {what} {key!r}", hint=hint)
