"""What the server itself reads from the data at start: the active version, its modules, and the variables."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from convexpy.auth import KeyRecord
from convexpy.database import Store
from convexpy.errors import Error
from convexpy.functions import QueryPlan
from convexpy.limits import TransactionBudget
from convexpy.runtime import secure_random, write_private
from convexpy.services.pushes.push import PushConfig


@dataclass
class ActiveVersion:
    """The version that is live: number 0 is the empty app of a new deployment."""

    version: int = 0
    modules: dict[str, str] = field(default_factory=dict)
    config: PushConfig = field(default_factory=PushConfig)
    pushed: dict[str, Any] = field(default_factory=dict[str, Any])
    """`pushedAt` (milliseconds), `message actor commit branch dirty`, as far as known."""


@dataclass
class StartState:
    """What a deployment starts from."""

    active: ActiveVersion
    environment: dict[str, str]
    sources: dict[str, bytes]
    building: list[dict[str, Any]]
    admin_keys: list[KeyRecord]


def read_start_state(store: Store) -> StartState:
    """Read the state through a store that has been given the tail."""
    unlimited = TransactionBudget(bytes_read=1 << 62, documents_read=1 << 62, database_queries=1 << 62)
    transaction = store.begin(writable=False, now_ms=0, budget=unlimited, random=secure_random)
    transaction.is_privileged = True

    def every(table: str) -> list[dict[str, Any]]:
        return list(transaction.stream(QueryPlan(table, system=True)))

    active = ActiveVersion()
    for document in every("_versions"):
        if document["state"] == "active":
            config = msgspec.convert(document["config"], PushConfig)
            active = ActiveVersion(int(document["number"]), {}, config, document.get("pushed", {}))
    active.modules = {document["path"]: document["sha256"] for document in every("_modules")}
    # A push that was killed and made again has kept some parts twice.
    parts = {(part["sha256"], int(part["part"])): part["source"] for part in every("_source_packages")}
    sources: dict[str, bytes] = {}
    for sha256, number in sorted(parts):
        sources[sha256] = sources.get(sha256, b"") + parts[sha256, number]
    environment = {document["name"]: document["value"] for document in every("_environment_variables")}
    building = [
        {
            "table": table.name,
            "tablet": table.tablet,
            "name": index.name,
            "number": index.number,
            "fields": list(index.fields),
            "staged": index.staged,
        }
        for table in transaction.catalog.by_tablet.values()
        for index in table.indexes
        if index.state == "building"
    ]
    admin_keys = [msgspec.convert(document, KeyRecord) for document in every("_admin_keys")]
    return StartState(active, environment, sources, building, admin_keys)


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

    default_code = "KeysDamaged"


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
