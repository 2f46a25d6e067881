"""The Python reference is what the docstrings say now, and names everything that is public."""

from __future__ import annotations

import subprocess
import sys
from types import ModuleType

from support.processes import ROOT

import convexpy

PAGE = ROOT / "docs" / "python-reference.md"


def test_the_page_is_fresh() -> None:
    command = [sys.executable, str(ROOT / "scripts" / "python_reference")]
    made = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    assert PAGE.read_text() == made.stdout, "run: make docs"


def test_every_public_name_is_on_it() -> None:
    text = PAGE.read_text()
    missing = [name for name in dir(convexpy) if not name.startswith("_") and f"### `{name}`\n" not in text]
    assert not [name for name in missing if not isinstance(getattr(convexpy, name), ModuleType)]
