"""The distribution: wheel, sdist and editable installs work in fresh environments, and hold what they should."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
ROOT = Path(__file__).parents[2]


def run(*command: str | Path, cwd: Path | None = None) -> str:
    # What is tried is the installed distribution, never the checkout that the tests import.
    env = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
        env=env,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def environment(folder: Path) -> Path:
    venv.create(folder, with_pip=True)
    return folder / "bin" / "python"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A wheel and an sdist of the files that git knows, so that leftovers in the checkout cannot help."""
    source = tmp_path_factory.mktemp("source")
    archive = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    for name in filter(None, archive.decode().split("\0")):
        if (ROOT / name).is_file():
            target = source / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes((ROOT / name).read_bytes())
    out = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--outdir", out, source)
    return next(out.glob("*.whl")), next(out.glob("*.tar.gz"))


def test_the_wheel_holds_both_packages_every_scaffold_file_and_the_docs(built: tuple[Path, Path]) -> None:
    names = set(zipfile.ZipFile(built[0]).namelist())
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"convexpy", "convexpy_cli"}
    assert {"convexpy/py.typed", "convexpy_cli/py.typed"} <= names
    known = subprocess.run(
        ["git", "ls-files", "scaffolds", "docs"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in known.stdout.split():
        assert f"convexpy_cli/_{name}" in names


def test_the_sdist_can_be_built_from(built: tuple[Path, Path]) -> None:
    with tarfile.open(built[1]) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "ARCHITECTURE.md"} <= names
    assert "src/convexpy/__init__.py" in names
    assert "scaffolds/chat/scaffold.toml" in names


SMOKE = """
import asyncio, json, subprocess, sys
import convexpy, convexpy_cli.main
assert "rich" not in sys.modules
process = subprocess.Popen(
    [sys.executable, "-m", "convexpy.serve", "--data", sys.argv[1], "--port", "0", "--site-port", "0"],
    stdout=subprocess.PIPE,
)
ready = json.loads(process.stdout.readline())
process.terminate()
assert process.wait(60) == 0
print(convexpy.__file__)
"""


INSTALL = ("-m", "pip", "install", "-q", "--disable-pip-version-check")


@pytest.fixture(scope="module")
def installed(built: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment with the wheel and what it requires; other forms of it replace the wheel."""
    python = environment(tmp_path_factory.mktemp("installed") / "venv")
    run(python, *INSTALL, "-c", ROOT / "constraints.txt", built[0])
    return python


@pytest.mark.parametrize("form", ["wheel", "sdist", "editable", "lowest"])
def test_an_install_runs_the_command_makes_an_app_and_serves(
    built: tuple[Path, Path], request: pytest.FixtureRequest, form: str, tmp_path: Path
) -> None:
    if form == "lowest":
        python = environment(tmp_path / "venv")
        run(python, *INSTALL, *lowest_requirements(), built[0])
    else:
        python = request.getfixturevalue("installed")
        source = {"wheel": (built[0],), "sdist": (built[1],), "editable": ("-e", ROOT)}[form]
        run(python, *INSTALL, "--force-reinstall", "--no-deps", *source)
    command = python.with_name("convexpy")
    assert re.fullmatch(r"convexpy \d+\.\d+\.\d+\S*\n", run(command, "--version"))
    assert run(python, "-m", "convexpy", "--version") == run(command, "--version")
    run(command, "init", tmp_path / "app", "--template", "chat", "--yes", "--no-git", "--no-install")
    assert (tmp_path / "app" / "convex" / "messages.py").is_file()
    where = run(python, "-c", SMOKE, tmp_path / "data", cwd=tmp_path).strip()
    assert where.startswith(str(ROOT / "src") if form == "editable" else str(python.parents[1]))
    run(command, "codegen", "--check", cwd=tmp_path / "app")


def lowest_requirements() -> list[str]:
    """Every direct dependency at its lower bound: a bound that is too low would fail here."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pinned: list[str] = []
    for requirement in project["dependencies"]:
        match = re.fullmatch(r"([A-Za-z0-9_-]+)>=([0-9.]+)(.*)", requirement)
        assert match is not None, f"{requirement!r} has no lower bound"
        pinned.append(f"{match[1]}~={match[2]}.0" if match[2].count(".") == 1 else f"{match[1]}=={match[2]}")
    return pinned
