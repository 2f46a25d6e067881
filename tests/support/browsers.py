"""Fixtures of headless Chromium."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]


@contextlib.contextmanager
def _chromium(home: Path, *flags: str) -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api")
    if not CHROMIUM.exists():
        pytest.skip("needs Chromium")
    with playwright.sync_playwright() as driver:
        env = {**os.environ, "HOME": str(home)}
        browser = driver.chromium.launch(executable_path=str(CHROMIUM), args=[*FLAGS, *flags], env=env)
        yield browser
        browser.close()


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Any]:
    """A headless Chromium."""
    with _chromium(tmp_path) as browser:
        yield browser


@pytest.fixture
def rebound_browser(tmp_path: Path) -> Iterator[Any]:
    """A headless Chromium for which `evil.example` leads to this machine."""
    with _chromium(tmp_path, "--host-resolver-rules=MAP evil.example 127.0.0.1") as browser:
        yield browser
