"""Files that come with the package: scaffolds and documentation, inside an installed copy or beside it in the checkout."""

from __future__ import annotations

from pathlib import Path

from convexpy_cli import errors


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
    package = Path(__file__).resolve().parents[1]
    for folder in (package / f"_{name}", package.parents[1] / name):
        if folder.is_dir():
            return folder
    raise errors.Failure(
        "InternalError", f"{name} not found in {package / f'_{name}'}", hint="reinstall convexpy"
    )
