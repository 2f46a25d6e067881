"""The file `keys.json` of a data folder: the deployment's name and secret."""

from __future__ import annotations

from pathlib import Path

import msgspec

from convexpy.errors import Error
from convexpy.runtime import write_private

KEYS_FILE = "keys.json"


class Keys(msgspec.Struct, rename="camel"):
    """A deployment's name and secret; kept in a file that only its owner can read.

    A development server keeps its first admin key there too. In production none is stored: `first_key_due` is set until
    the first one was made and shown, and the secret is empty when it comes from elsewhere.
    """

    name: str
    instance_secret: str
    admin_key: str = ""
    first_key_due: bool = False


class KeysDamaged(Error):
    """`keys.json` is not what was written."""


def load_keys(folder: Path) -> Keys | None:
    """Return the keys of a data folder, or None if it has none yet.

    Raises:
        KeysDamaged: the file is empty, cut short or garbled.
        OSError: it cannot be read.
    """
    path = folder / KEYS_FILE
    try:
        keys = msgspec.json.decode(path.read_bytes(), type=Keys)
        bytes.fromhex(keys.instance_secret)
        if not keys.name:
            raise ValueError("the deployment has no name")
    except FileNotFoundError:
        return None
    except (ValueError, msgspec.MsgspecError) as error:
        raise KeysDamaged(
            f"{path} is damaged: {error}",
            hint="restore it from a backup of the folder; without one move it away, and give the server --name as before: "
            "it makes a new secret, and admin keys stay valid",
        ) from error
    return keys


def save_keys(folder: Path, keys: Keys) -> None:
    """Write the keys so that only their owner can read them."""
    write_private(folder / KEYS_FILE, msgspec.json.format(msgspec.json.encode(keys)) + b"\n")
