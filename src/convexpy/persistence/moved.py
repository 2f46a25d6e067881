"""The note in a data folder that says in which database its data is: without it an old copy could be served by mistake."""

from __future__ import annotations

from pathlib import Path

import msgspec

from convexpy.persistence.interface import StoreRefused

NAME = "database.json"


class _Moved(msgspec.Struct, rename="camel"):
    deployment_id: str
    place: str


def note(folder: Path, deployment_id: str, place: str) -> None:
    """Write that the data of the folder is in a database; no address with a password.

    Raises:
        StoreRefused: it is noted to be of another deployment.
    """
    known = _read(folder)
    if known is not None and known.deployment_id != deployment_id:
        raise StoreRefused(
            f"{place} has another deployment than {folder}, whose data is in {known.place}",
            code="DeploymentMismatch",
            hint="name the database of this folder, or the folder of this database: keys and variables would not fit",
        )
    moved = _Moved(deployment_id, place)
    if known != moved:
        fresh = folder / f"{NAME}.new"
        fresh.write_bytes(msgspec.json.format(msgspec.json.encode(moved)))
        fresh.replace(folder / NAME)


def refuse(folder: Path) -> None:
    """Refuse to serve the files of a folder whose data is in a database.

    Raises:
        StoreRefused: it is.
    """
    known = _read(folder)
    if known is not None:
        raise StoreRefused(
            f"the data of {folder} is in a database: {known.place}",
            code="DatabaseRefused",
            hint="start with --database URL, or CONVEXPY_DATABASE_URL; `convexpy database copy --to DIR` brings it back; "
            f"to go on from files in the folder, whatever they hold, delete {folder / NAME}",
        )


def forget(folder: Path) -> None:
    """Remove the note: the data is in the folder again."""
    (folder / NAME).unlink(missing_ok=True)


def _read(folder: Path) -> _Moved | None:
    try:
        return msgspec.json.decode((folder / NAME).read_bytes(), type=_Moved)
    except FileNotFoundError:
        return None
    except msgspec.DecodeError as error:
        raise StoreRefused(
            f"{folder / NAME} cannot be read: {error}", hint="restore it, or delete it"
        ) from error
