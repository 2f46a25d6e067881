"""The Python reference is what the docstrings say now, and names everything that is public."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

from support.plugin import plugin_flags
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


def test_every_name_has_an_example() -> None:
    sections = re.split(r"^### ", PAGE.read_text().partition("\n## Not there yet")[0], flags=re.MULTILINE)[1:]
    assert [each.partition("\n")[0] for each in sections if "```python" not in each] == []


def test_the_examples_work(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "docs" / "examples" / "reference", tmp_path / "app")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *plugin_flags()]
    ended = subprocess.run(
        command, cwd=tmp_path / "app", capture_output=True, text=True, check=False, timeout=120
    )
    assert ended.returncode == 0, ended.stdout
