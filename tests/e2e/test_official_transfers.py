"""The unmodified official command line: `npx convex import` and `npx convex export` against a deployment."""

from __future__ import annotations

import io
import os
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.processes import ServerProcess
from support.transfers import export, system

Npx = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def npx(server: ServerProcess, node_clients: Path, tmp_path: Path) -> Npx:
    """Run the official command line in a project of its own."""
    project = tmp_path / "project"
    project.mkdir()
    (project / "package.json").write_text('{"name": "x", "dependencies": {"convex": "*"}}')
    (project / "node_modules").symlink_to(node_clients / "node_modules")
    env = {
        **{name: value for name, value in os.environ.items() if not name.startswith("CONVEX")},
        "CONVEX_SELF_HOSTED_URL": server.url,
        "CONVEX_SELF_HOSTED_ADMIN_KEY": server.admin_key,
    }

    def run(*arguments: str, expect: int = 0) -> Any:
        main = node_clients / "node_modules" / "convex" / "bin" / "main.js"
        done = subprocess.run(
            ["node", str(main), *arguments], cwd=project, env=env, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=200, check=False,
        )  # fmt: skip
        assert done.returncode == expect, done.stdout + done.stderr
        return done

    return run


def names(server: ServerProcess) -> list[str]:
    opts = {"numItems": 100, "cursor": None}
    page = system(server, "_system/cli/tableData", table="people", order="asc", paginationOpts=opts)["page"]
    return [person["name"] for person in page]


def test_import_of_every_format_and_mode(server: ServerProcess, npx: Npx, tmp_path: Path) -> None:
    project = tmp_path / "project"
    (project / "p.csv").write_text("name,age\nada,36\nbo,7\n")
    (project / "p.jsonl").write_text('{"name":"cy"}\n')
    (project / "p.json").write_text('[{"name":"di"}]')
    done = npx("import", "--table", "people", "p.csv")
    assert "Added 2 documents" in done.stdout + done.stderr
    assert names(server) == ["ada", "bo"]
    done = npx("import", "--table", "people", "p.jsonl", expect=1)
    assert "not empty" in done.stdout + done.stderr
    npx("import", "--table", "people", "--append", "p.jsonl")
    assert names(server) == ["ada", "bo", "cy"]
    npx("import", "--table", "people", "--replace", "--yes", "p.json")
    assert names(server) == ["di"]


def test_snapshots_go_out_and_in_again(server: ServerProcess, npx: Npx, tmp_path: Path) -> None:
    project = tmp_path / "project"
    (project / "p.jsonl").write_text('{"name":"ada","big":{"$integer":"BQAAAAAAAAA="}}\n')
    npx("import", "--table", "people", "p.jsonl")
    npx("export", "--path", "out.zip", "--include-file-storage")
    with zipfile.ZipFile(project / "out.zip") as archive:
        assert b'"big":5' in archive.read("people/documents.jsonl")
        before = {name: archive.read(name) for name in archive.namelist()}
    npx("import", "--table", "people", "--append", "p.jsonl")
    npx("import", "--replace-all", "--yes", "out.zip")
    with zipfile.ZipFile(io.BytesIO(export(server))) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == before
