"""Python in the docs that is not a file of the page's app runs, too: in an app that has what it is about.

`{block}` is where the code of the page goes; `{0}`, `{1}` … are its single lines.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import NamedTuple

import pytest
from support.plugin import plugin_flags
from support.processes import ROOT

BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
APP = Path(__file__).parent / "app"
IMPORTS = """
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from convexpy import ConvexError, v
from convexpy.helpers import Migrations, rate_limit
from ._generated.api import internal
from ._generated.data_model import NotesDoc, NotesId, UsersId
from ._generated.server import ActionCtx, MutationCtx, QueryCtx, action, internal_mutation, mutation, query
"""
TEST_IMPORTS = """
from datetime import timedelta
import pytest
from convexpy import ConvexError
from convexpy.testing import ConvexTest
"""


class Fragment(NamedTuple):
    """Code of a page that begins so, and the file that it becomes a part of."""

    page: str
    begins: str
    file: str
    text: str


FRAGMENTS = [
    Fragment("README", "# a test:", "tests/test_readme.py", "{block}"),
    Fragment(
        "auth", "import os\nfrom convexpy import auth_config", "convex/auth_config.py", "import os\n"
        'os.environ["CLERK_JWT_ISSUER_DOMAIN"] = "https://clerk.example.com"\n{block}',
    ),
    Fragment(
        "auth", "@query\ndef mine", "convex/notes.py", IMPORTS + '''
{block}
''',
    ),
    Fragment(
        "functions", "ctx.db.get(id)", "convex/statements.py", IMPORTS + '''
@mutation
def run(ctx: MutationCtx) -> None:
    since, document = 0.0, {{"channel": "general", "author": "Eve", "body": "hey"}}
    id = ctx.db.insert("messages", document)
{indented}
''',
    ),
    Fragment(
        "functions", "from ._generated.api import internal\nfrom . import users", "convex/calls.py", IMPORTS + '''
{0}
{1}

@mutation
def run(ctx: MutationCtx, user: UsersId) -> None:
    {3}

@action
async def look(ctx: ActionCtx, user: UsersId) -> Any:
    {4}
''',
    ),
    Fragment(
        "functions", "status = rate_limit", "convex/limits.py", IMPORTS + '''
@mutation
def run(ctx: MutationCtx, user_id: str) -> None:
{indented}
''',
    ),
    Fragment("functions", "migrations = ", "convex/migrations.py", IMPORTS + "{block}"),
    Fragment("http", "from convexpy import JSONResponse", "convex/http.py", "{block}"),
    Fragment(
        "scheduling", "job = ctx.scheduler", "convex/jobs.py", IMPORTS + '''
@mutation
def run(ctx: MutationCtx) -> None:
    sid = "1"
{indented}
''',
    ),
    Fragment("scheduling", "from convexpy import cron_jobs", "convex/crons.py", "{block}"),
    Fragment("scheduling", "def test_reminder", "tests/test_scheduling.py", TEST_IMPORTS + "{block}"),
    Fragment(
        "storage", "@mutation\ndef upload_url", "convex/pictures.py", IMPORTS + '''
{block}

@query(args={{"file": v.id("_storage")}})
def url(ctx, file):
    return ctx.storage.get_url(file)
''',
    ),
    Fragment(
        "storage", "id = await", "convex/reports.py", IMPORTS + '''
@action
async def store(ctx: ActionCtx) -> None:
{indented}

@internal_mutation
def daily(ctx: MutationCtx, top: int) -> None: ...
''',
    ),
    Fragment("storage", "def test_picture", "tests/test_storage.py", TEST_IMPORTS + "{block}"),
]  # fmt: skip
CLIENTS = [
    ("README", "# Python, with `convex` from PyPI"),
    ("coming-from-fastapi", "from convex import ConvexClient"),
]
"""Programs with the official client: they are type-checked."""
FOREIGN = [("coming-from-fastapi", "@app.post")]
"""Code of others, shown beside ours."""


def unnamed() -> list[tuple[str, str]]:
    """Return the page and text of every block that is not a file by itself."""
    return [
        (page.stem, block)
        for page in sorted([*(ROOT / "docs").glob("*.md"), ROOT / "README.md"])
        if page.stem != "python-reference"  # generated from the signatures
        for block in BLOCK.findall(page.read_text())
        if not re.match(r"# (convex|tests)/\S+\.py\n", block)
    ]


def text_of(fragment: Fragment) -> str:
    """Return the file that a fragment becomes."""
    (block,) = [
        text for page, text in unnamed() if page == fragment.page and text.startswith(fragment.begins)
    ]
    lines = block.splitlines()
    return fragment.text.format(*lines, block=block, indented=textwrap.indent(block, "    "))


def test_every_block_of_python_is_run_somewhere() -> None:
    known = [*((one.page, one.begins) for one in FRAGMENTS), *CLIENTS, *FOREIGN]
    left = [
        (page, text)
        for page, text in unnamed()
        if not any(page == where and text.startswith(begins) for where, begins in known)
    ]
    assert left == []


def test_the_fragments_run(tmp_path: Path) -> None:
    shutil.copytree(APP, tmp_path, dirs_exist_ok=True)
    for name, text in readme_files():
        (tmp_path / name).write_text(text)
    for fragment in FRAGMENTS:
        (tmp_path / fragment.file).write_text(text_of(fragment))
    (tmp_path / "report.pdf").write_bytes(b"%PDF")
    (tmp_path / "pyproject.toml").write_text(
        '[tool.pytest.ini_options]\naddopts = ["--import-mode=importlib"]\nconvexpy_functions = "convex"\n'
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *plugin_flags()]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)
    assert ended.returncode == 0, ended.stdout
    assert "8 passed" in ended.stdout, ended.stdout


def readme_files() -> list[tuple[str, str]]:
    """Return the functions of the README's app: tests of the pages call them."""
    blocks = BLOCK.findall((ROOT / "README.md").read_text())
    return [("convex/messages.py", block) for block in blocks if block.startswith("# convex/messages.py")]


@pytest.mark.slow
def test_programs_with_the_official_client_have_its_types(tmp_path: Path) -> None:
    for page, begins in CLIENTS:
        (block,) = [text for where, text in unnamed() if where == page and text.startswith(begins)]
        (tmp_path / f"{page.replace('-', '_')}.py").write_text(f'task_id = ""\n{block}')
    command = [sys.executable, "-m", "pyright", "--pythonpath", sys.executable, "."]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)
    assert ended.returncode == 0, ended.stdout
