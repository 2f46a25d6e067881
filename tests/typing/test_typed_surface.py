"""The typed surface: an app with generated code passes both type checkers, and runs."""

import importlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import starlette

import convexpy
from convexpy.functions import FunctionDefinition, collect, importing
from convexpy.project import analyze, open_project
from convexpy.project.codegen import render_files, stale_files
from convexpy.schema import Schema

SURFACE = Path(__file__).parent / "surface"
SOURCES = Path(convexpy.__file__).parent.parent
MODULES = [
    "schema", "auth_config", "lib.access", "sessions.queries", "sessions.mutations", "messages", "agents", "users",
    "http", "crons",
]  # fmt: skip


def run(*command: str, cwd: Path) -> str:
    """Return what a checker says; empty output and success are not the same, so both are looked at by callers."""
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=cwd, capture_output=True, text=True, timeout=600, check=False
    )
    return f"{done.stdout}{done.stderr}\nexit {done.returncode}"


def copied(tmp_path: Path) -> None:
    for file in SURFACE.rglob("*.py*"):
        if file.suffix in (".py", ".pyi"):
            target = tmp_path / "surface" / file.relative_to(SURFACE)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(file.read_bytes())


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_mypy_infers_and_refuses_what_it_must(tmp_path: Path) -> None:
    copied(tmp_path)
    (tmp_path / "mypy.ini").write_text(
        "[mypy]\nstrict = True\npython_version = 3.11\nnamespace_packages = True\nexplicit_package_bases = True\n"
        f"mypy_path = {SOURCES}:{tmp_path / 'surface'}\n"
    )
    said = run("mypy", "--config-file", "mypy.ini", "surface", cwd=tmp_path)
    assert "Success: no issues found" in said, said
    assert said.endswith("exit 0")


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_pyright_infers_and_refuses_what_it_must(tmp_path: Path) -> None:
    copied(tmp_path)
    packages = Path(starlette.__file__).parent.parent
    settings = {
        "include": ["surface"],
        "extraPaths": [str(SOURCES), "surface", str(packages)],
        "pythonVersion": "3.11",
        "typeCheckingMode": "strict",
        "enableTypeIgnoreComments": False,
        "reportMissingModuleSource": False,
        "reportUnnecessaryTypeIgnoreComment": "error",
    }
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(settings))
    said = run("pyright", "--pythonpath", sys.executable, cwd=tmp_path)
    assert "0 errors, 0 warnings" in said, said
    assert said.endswith("exit 0")


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_every_public_name_has_a_type_that_all_checkers_agree_on(tmp_path: Path) -> None:
    # Pyright looks for the package in the environment of the first Python on the path.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    command = [
        sys.executable,
        "-m",
        "pyright",
        "--verifytypes",
        "convexpy",
        "--ignoreexternal",
        "--outputjson",
    ]
    done = subprocess.run(
        command, cwd=tmp_path, env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False
    )
    found = json.loads(done.stdout)["typeCompleteness"]
    wrong = [
        (each["name"], [told["message"] for told in each["diagnostics"]])
        for each in found["symbols"]
        if not each["isTypeKnown"] or each["isTypeAmbiguous"]
    ]
    assert (wrong, found["completenessScore"]) == ([], 1)


WRONG = """
from chat._generated.data_model import MessagesId, SessionsId, UsersId
from chat._generated.server import MutationCtx


def wrong(ctx: MutationCtx, user: UsersId, session: SessionsId) -> None:
"""
CALLS = {
    'ctx.db.insert("users", {"nme": "x"})': "nme",
    'ctx.db.patch(user, {"nme": "x"})': "nme",
    'ctx.db.patch("users", user, {"nme": "x"})': "nme",
    'ctx.db.replace(user, {"nme": "x"})': "nme",
}


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("checker", ["mypy", "pyright"])
def test_the_wrong_field_of_a_document_is_named(tmp_path: Path, checker: str) -> None:
    copied(tmp_path)
    (tmp_path / "surface" / "wrong.py").write_text(WRONG + "".join(f"    {call}\n" for call in CALLS))
    (tmp_path / "mypy.ini").write_text(
        "[mypy]\nplugins = convexpy.project.mypy\npython_version = 3.11\nnamespace_packages = True\n"
        f"explicit_package_bases = True\nmypy_path = {SOURCES}:{tmp_path / 'surface'}\n"
    )
    (tmp_path / "pyrightconfig.json").write_text(json.dumps({"extraPaths": [str(SOURCES), "surface"]}))
    words = (
        ("mypy", "--config-file", "mypy.ini")
        if checker == "mypy"
        else ("pyright", "--pythonpath", sys.executable)
    )
    said = run(*words, "surface/wrong.py", cwd=tmp_path).splitlines()
    first = WRONG.count("\n") + 1
    for line, field in enumerate(CALLS.values(), first):
        own = said[next(i for i, text in enumerate(said) if f"wrong.py:{line}:" in text) :]
        assert any(f'"{field}"' in text for text in own[:4]), (line, said)
    assert not any("_Dataclass" in text for text in said), said


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_lost_type_is_noticed(tmp_path: Path) -> None:
    """The checks would be worth nothing if the package were `Any` to the checker."""
    copied(tmp_path)
    checks = tmp_path / "surface" / "checks.py"
    right = "assert_type(ctx.run_query(plain, a=1), float)"
    assert right in checks.read_text()
    checks.write_text(checks.read_text().replace(right, right.replace("float", "str")))
    (tmp_path / "mypy.ini").write_text(
        f"[mypy]\nstrict = True\nnamespace_packages = True\nexplicit_package_bases = True\n"
        f"mypy_path = {SOURCES}:{tmp_path / 'surface'}\n"
    )
    said = run("mypy", "--config-file", "mypy.ini", "surface", cwd=tmp_path)
    assert 'Expression is of type "float", not "str"' in said, said


def test_its_generated_code_is_what_would_be_generated(tmp_path: Path) -> None:
    shutil.copytree(SURFACE / "chat", tmp_path / "convex", ignore=shutil.ignore_patterns("__pycache__"))
    project = open_project(tmp_path)
    described = analyze(project, {"CLERK_JWT_ISSUER_DOMAIN": "https://issuer.example"})
    assert stale_files(project.functions, render_files(described)) == []


@pytest.fixture
def functions(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, FunctionDefinition]]:
    monkeypatch.setenv("CLERK_JWT_ISSUER_DOMAIN", "https://issuer.example")
    monkeypatch.syspath_prepend(str(SURFACE))
    modules = {}
    for name in MODULES:
        path = name.replace(".", "/")
        with importing(path):
            modules[path] = importlib.import_module(f"chat.{name}")
    yield collect(modules)
    for name in [name for name in sys.modules if name == "chat" or name.startswith("chat.")]:
        del sys.modules[name]


def test_the_app_also_runs(functions: dict[str, FunctionDefinition]) -> None:
    assert sorted(functions) == [
        "agents:check", "agents:similar", "agents:transcript",
        "messages:list", "messages:load", "messages:search", "messages:send",
        "sessions/mutations:create", "sessions/mutations:remind", "sessions/mutations:set_status",
        "sessions/queries:get", "sessions/queries:list", "sessions/queries:reminder_state",
        "users:profile", "users:sessionsOfMine", "users:upsert",
    ]  # fmt: skip
    assert msgspec.json.encode([each.describe() for each in functions.values()])
    chat = sys.modules
    assert isinstance(chat["chat.schema"].schema, Schema)
    assert [job.function for job in chat["chat.crons"].crons.describe()] == [
        "agents:check", "users:upsert", "messages:load",
    ]  # fmt: skip
    assert chat["chat.http"].http.match("HEAD", "/health").handler.__name__ == "health"
    assert len(chat["chat.auth_config"].auth.describe()) == 1


def test_annotations_of_the_app_are_its_validators(functions: dict[str, FunctionDefinition]) -> None:
    v = convexpy.v
    assert functions["sessions/queries:get"].args == v.object(sessionId=v.id("sessions"))
    options = v.object(since=v.number(), paginationOpts=convexpy.pagination_opts)
    found = functions["sessions/queries:list"].args
    assert found is not None
    assert found.export()["value"].keys() == options.export()["value"].keys()
    create = functions["sessions/mutations:create"]
    assert create.args == v.object(city=v.optional(v.string()))
    assert create.returns == v.id("sessions")
    profile = functions["users:profile"].returns
    assert profile == v.object(name=v.string(), sessions=v.int())
