"""Files that come with the package: scaffolds and documentation, inside an installed copy or beside it in the checkout."""

from __future__ import annotations

from pathlib import Path

from convexpy_cli import failure


def scaffolds_folder() -> Path:
    """Return the folder of the scaffolds.

    Raises:
        Failure: this copy of the package has none.
    """
    return _folder("scaffolds")


def docs_folder() -> Path:
    """Return the folder of the documentation.

    Raises:
        Failure: this copy of the package has none.
    """
    return _folder("docs")


def _folder(name: str) -> Path:
    here = Path(__file__).resolve()
    for folder in (here.parent / f"_{name}", here.parents[2] / name):
        if folder.is_dir():
            return folder
    raise failure.Failure(
        "InternalError",
        f"the {name} are missing in {here.parent / f'_{name}'}",
        failure.BUG,
        hint="install again",
    )
