"""Name, secret and first admin key of a data folder: made at its first start.

A development server keeps its key in `keys.json`, for the tools beside it. In production the key is shown once, or written
to a file of its own where nobody looks on; the data holds only its digest.
"""

from __future__ import annotations

import contextlib
import logging
import secrets
from pathlib import Path

from convexpy.access import AdminKeys, create_instance_secret
from convexpy.deployment import Deployment, Keys, load_keys, save_keys
from convexpy.errors import RequestError
from convexpy.errors.texts import read_text
from convexpy.runtime import write_private
from convexpy.serve.options import ConfigInvalid, ServeOptions

KEY_FILE = "admin-key"
FIRST_KEY = "first"
SECRET_DIGITS_MIN = 64
logger: logging.Logger = logging.getLogger("convexpy.serve")


def ensure_keys(options: ServeOptions) -> Keys:
    """Return the keys of a data folder, made at its first start. A secret from a file is not written into it."""
    keys = load_keys(options.data)
    given = None if options.secret_file is None else _read_secret(options.secret_file)
    if keys is None:
        secret = create_instance_secret() if given is None else given
        chosen = options.name or f"{'deployment' if options.production else 'local'}-{secrets.token_hex(4)}"
        key = "" if options.production else AdminKeys(chosen, secret).create()
        keys = Keys(chosen, "" if given else secret, key, first_key_due=options.production)
        save_keys(options.data, keys)
    elif options.name not in (None, keys.name):
        logger.warning("this deployment is named %s: --name counts for a new data folder only", keys.name)
    if not keys.instance_secret and given is None:
        raise ConfigInvalid(
            "the secret of this deployment is in a file", hint="--secret-file FILE, as before"
        )
    return Keys(keys.name, given or keys.instance_secret, keys.admin_key, keys.first_key_due)


def _read_secret(file: Path) -> str:
    try:
        text = read_text(file).strip()
        bytes.fromhex(text)
    except OSError as error:
        raise ConfigInvalid(f"cannot read {file}: {error.strerror}") from error
    except ValueError:
        text = ""
    if len(text) < SECRET_DIGITS_MIN:
        hint = f"openssl rand -hex 32 > {file}"
        raise ConfigInvalid(f"{file} does not hold {SECRET_DIGITS_MIN} hex digits or more", hint=hint)
    return text


async def make_first_key(deployment: Deployment, keys: Keys) -> str | None:
    """Return the first admin key of a production server when it is due, else None."""
    if not keys.first_key_due:
        return None
    with contextlib.suppress(RequestError):
        # There is one if the server ended between making and showing it: nobody has it.
        await deployment.keyring.revoke(FIRST_KEY)
    return (await deployment.keyring.create(FIRST_KEY, "admin")).key


def first_key_was_shown(folder: Path) -> None:
    """Note that the first key need not be made again."""
    keys = load_keys(folder)
    if keys is not None and keys.first_key_due:
        keys.first_key_due = False
        save_keys(folder, keys)


def keep_first_key(folder: Path, key: str) -> Path:
    """Write the first key to a file that only its owner can read; return its path."""
    path = folder / KEY_FILE
    write_private(path, f"{key}\n".encode())
    return path


def warn_of_plain_keys(options: ServeOptions, keys: Keys) -> None:
    """Say where admin keys stand in plain text, and when a key that was asked for cannot be printed."""
    if keys.admin_key:
        logger.warning(
            "keys.json in %s holds an admin key in plain text: the folder was made by a development server",
            options.data,
        )
    file = options.data / KEY_FILE
    if file.exists() and not keys.first_key_due:
        logger.warning("%s still holds the first admin key: keep it elsewhere and delete the file", file)
    if options.print_admin_key and not keys.first_key_due:
        logger.warning(
            "the first admin key was shown at the first start and is stored nowhere; make another with "
            "`convexpy keys create NAME --kind admin --data %s`",
            options.data,
        )
