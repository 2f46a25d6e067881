"""Making an admin key with nothing but the server's data folder: the way back in when every key is lost.

The record of the key, with its digest, is sealed with the instance secret and put where the server takes it: when the key is
used first, or at the next start.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from convexpy.access import KeyKind, leave_key
from convexpy.protocol.admin_api import NewKey
from convexpy_cli import errors

NAME_LENGTH_MAX = 64


class _Known(msgspec.Struct, rename="camel"):
    name: str
    instance_secret: str = ""


def create(
    data: Path,
    name: str,
    kind: KeyKind,
    functions: tuple[str, ...],
    expires_at: float | None,
    secret_file: Path | None = None,
) -> NewKey:
    """Return a new key, as a server answers with it.

    Raises:
        Failure: it is no data folder, it can't be written to, or the name is none.
    """
    if not 0 < len(name) <= NAME_LENGTH_MAX or not name.isprintable():
        raise errors.Failure("BadKeyName", f"key names have 1 to {NAME_LENGTH_MAX} characters")
    owner, known = _opened(data)
    secret = _secret_of(data, known, secret_file)
    try:
        return leave_key(
            data,
            known.name,
            secret,
            name=name,
            kind=kind,
            functions=functions,
            expires_at=expires_at,
            owner=owner,
        )
    except OSError as error:
        raise _unusable(data, f"cannot write into it: {error.strerror}") from error


def _secret_of(data: Path, known: _Known, secret_file: Path | None) -> str:
    """Return the instance secret, which is in the data folder, or in the file that the server is given."""
    if secret_file is None:
        if not known.instance_secret:
            raise _unusable(
                data,
                "the secret of this deployment is in a file",
                "pass --secret-file FILE, as to the server",
            )
        return known.instance_secret
    try:
        return secret_file.read_text(encoding="utf-8-sig").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise errors.Failure("ConfigInvalid", f"cannot read {secret_file}: {reason}") from error


def _opened(data: Path) -> tuple[os.stat_result, _Known]:
    """Return whose data folder it is, and what is known of the deployment."""
    file = data / "keys.json"
    try:
        return file.stat(), msgspec.json.decode(file.read_bytes(), type=_Known)
    except FileNotFoundError as error:
        raise _unusable(data, "it contains no deployment; a server creates it at its first start") from error
    except OSError as error:
        raise _unusable(data, f"cannot read keys.json: {error.strerror}") from error
    except msgspec.MsgspecError as error:
        raise _unusable(data, "its keys.json is damaged") from error


SAME_USER = "run it as the user of the server, with the folder of `convexpy serve --data`"


def _unusable(data: Path, reason: str, hint: str = SAME_USER) -> errors.Failure:
    return errors.Failure("DataFolderUnusable", f"--data {data}: {reason}", hint=hint)
