"""The code in the docs: Python compiles, the apps of the pages load, and their own tests pass.

A block whose first line is `# convex/…` or `# tests/…` is that file of the page's app.
"""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
import sysconfig
import textwrap
from pathlib import Path

import pytest
from support.plugin import plugin_flags
from support.processes import ROOT

PAGES = sorted([*(ROOT / "docs").glob("*.md"), ROOT / "README.md"])
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"# ((?:convex|tests)/\S+\.py)\n")
WITH_APP = [page for page in PAGES if FILE.search(page.read_text())]


def blocks(page: Path) -> list[str]:
    """Return the Python of a page."""
    return BLOCK.findall(page.read_text())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_python_on_a_page_is_python(page: Path) -> None:
    for block in blocks(page):
        try:
            ast.parse(block)
        except SyntaxError:
            # Lines of a function, with `await` and `return`.
            ast.parse("async def function(ctx):\n" + textwrap.indent(block, "    "))


@pytest.mark.parametrize("page", WITH_APP, ids=lambda page: page.stem)
def test_the_app_of_a_page_works(page: Path, tmp_path: Path) -> None:
    for block in blocks(page):
        named = FILE.match(block)
        if named is not None:
            file = tmp_path / named[1]
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(block)
    (tmp_path / "tests").mkdir(exist_ok=True)
    (tmp_path / "tests" / "test_it_loads.py").write_text("def test_it_loads(convex):\n    assert convex\n")
    (tmp_path / "pyproject.toml").write_text(
        '[tool.pytest.ini_options]\naddopts = ["--import-mode=importlib"]\nconvexpy_functions = "convex"\n'
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *plugin_flags()]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)
    assert ended.returncode == 0, ended.stdout


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_of_a_page_lead_somewhere(page: Path) -> None:
    text = page.read_text()
    for target in [
        *re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text),
        *re.findall(r'(?:src|srcset)="([^"]+)"', text),
    ]:
        if "://" not in target and target not in (
            "convexpy.js",
            "node_modules/convex/dist/browser.bundle.js",
        ):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_site_builds(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    shutil.copy(ROOT / "mkdocs.yml", tmp_path)
    program = Path(sysconfig.get_path("scripts")) / "zensical"
    command = [str(program), "build", "--strict"]
    built = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)
    assert built.returncode == 0, built.stdout + built.stderr
    pages = {page.stem for page in (ROOT / "docs").glob("*.md")} - {"index"}
    assert {page for page in pages if not (tmp_path / "site" / page / "index.html").exists()} == set()
