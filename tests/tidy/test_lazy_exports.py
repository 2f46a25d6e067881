"""Two packages import their exports at first use."""

from __future__ import annotations

import subprocess
import sys

import pytest

import convexpy
from convexpy import project


@pytest.mark.parametrize("package", [convexpy, project])
def test_every_export_is_there(package: object) -> None:
    names = package.__all__  # type: ignore[attr-defined]
    assert len(names) > 50
    assert all(getattr(package, name) is not None for name in names)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("code", "unwanted"),
    [
        ("import convexpy", ("convexpy.", "msgspec", "starlette")),
        ("from convexpy.project import resolve_target", ("convexpy.project._scaffold",)),
    ],
)
def test_what_is_not_used_is_not_imported(code: str, unwanted: tuple[str, ...]) -> None:
    shown = f"import sys; {code}; print([name for name in sys.modules if name.startswith({unwanted!r})])"
    done = subprocess.run([sys.executable, "-c", shown], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
