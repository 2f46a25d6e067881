"""Each limit is read by the code and is on the page docs/limits.md."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from convexpy import limits

ROOT = Path(__file__).parents[2]


def names() -> set[str]:
    """Return the constants of the module and the fields of what a deployment may change."""
    constants = {name for name in vars(limits) if name.isupper() and name != "MIB"}
    kinds = (limits.Knobs, limits.TransactionBudget)
    return constants | {field.name for kind in kinds for field in msgspec.structs.fields(kind)} - {
        "transaction"
    }


def test_each_limit_is_read_somewhere() -> None:
    sources = [
        path
        for part in ("src", "cli")
        for path in (ROOT / part).rglob("*.py")
        if path.parent.name != "limits"
    ]
    text = "\n".join(path.read_text() for path in sources)
    used = set(re.findall(r"\b[A-Z][A-Z_]+\b|(?<=\.)[a-z_]+\b", text))
    assert names() - used == set()


@pytest.mark.slow
def test_each_limit_is_documented() -> None:
    made = subprocess.run(
        [sys.executable, ROOT / "scripts" / "limits_page"], capture_output=True, text=True, check=True
    ).stdout
    page = (ROOT / "docs" / "limits.md").read_text()
    assert page == made, "run: python scripts/limits_page > docs/limits.md"
    assert {name for name in names() if f"{name}`" not in page} == set()
