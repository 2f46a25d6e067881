"""What the server itself reads from the data at start: the active version, its modules, and the variables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from convexpy.access import KeyRecord
from convexpy.database import Store, Transaction
from convexpy.functions import QueryPlan
from convexpy.limits import TransactionBudget
from convexpy.protocol.system.pushes import BuildingIndex
from convexpy.protocol.system.signing_keys import SealedKey
from convexpy.runtime import secure_random
from convexpy.services.pushes.kept import KeptVersion, modules_of
from convexpy.services.pushes.requests import ActiveVersion, PushConfig


@dataclass
class StartState:
    """What a deployment starts from."""

    active: ActiveVersion
    versions: dict[int, KeptVersion]
    environment: dict[str, str]
    sources: dict[str, bytes]
    building: list[BuildingIndex]
    admin_keys: list[KeyRecord]
    signing_keys: list[SealedKey]


def _begin(store: Store) -> Transaction:
    unlimited = TransactionBudget(bytes_read=1 << 62, documents_read=1 << 62, database_queries=1 << 62)
    transaction = store.begin(writable=False, now_ms=0, budget=unlimited, random=secure_random)
    transaction.is_privileged = True
    return transaction


def active_number(store: Store) -> int:
    """Return the number of the active version, 0 if there is none."""
    history = _begin(store).stream(QueryPlan("_versions", system=True))
    return next((int(document["number"]) for document in history if document["state"] == "active"), 0)


def read_start_state(store: Store) -> StartState:
    """Read the state through a store that has been given the tail."""
    transaction = _begin(store)

    def every(table: str) -> list[dict[str, Any]]:
        return list(transaction.stream(QueryPlan(table, system=True)))

    active = ActiveVersion()
    history = every("_versions")
    for document in history:
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
        BuildingIndex(table.name, table.tablet, index.name, index.number, list(index.fields), index.staged)
        for table in transaction.catalog.by_tablet.values()
        for index in table.indexes
        if index.state == "building"
    ]
    admin_keys = [msgspec.convert(document, KeyRecord) for document in every("_admin_keys")]
    versions = {
        int(document["number"]): KeptVersion(
            manifest=document["manifest"],
            modules=modules_of(sources[document["manifest"]]),
            config=msgspec.convert(document["config"], PushConfig),
            pushed=document.get("pushed", {}),
        )
        for document in history
        if document.get("kept")
    }
    signing_keys = [msgspec.convert(document, SealedKey) for document in every("_signing_keys")]
    return StartState(active, versions, environment, sources, building, admin_keys, signing_keys)
