"""Where the scaffolds are: inside an installed package, or in the checkout beside it."""

from __future__ import annotations

from pathlib import Path

from convexpy_cli import failure


def scaffolds_folder() -> Path:
    """Return the folder of the scaffolds.

    Raises:
        Failure: this copy of the package has none.
    """
    here = Path(__file__).resolve()
    for folder in (here.parent / "_scaffolds", here.parents[2] / "scaffolds"):
        if folder.is_dir():
            return folder
    raise failure.Failure(
        "InternalError",
        f"the scaffolds are missing in {here.parent / '_scaffolds'}",
        failure.BUG,
        hint="install again",
    )
