"""`convexpy import`, `export` and `backup` against a real server."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.processes import ServerProcess
from support.transfers import system

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
Command = Callable[..., "subprocess.CompletedProcess[bytes]"]
SCHEMA = """
from convexpy import define_schema, define_table, v

schema = define_schema({
    "users": define_table({"name": v.string(), "zip": v.string(), "n": v.optional(v.number())}),
    "notes": define_table(v.any()),
})
"""


@pytest.fixture
def deployed(server: ServerProcess) -> ServerProcess:
    server.push_ok({"schema.py": SCHEMA})
    return server


@pytest.fixture
def command(deployed: ServerProcess, project: Path) -> Command:
    """Run a command in a process of its own, in the project's folder."""

    def run(*arguments: str, expect: int = 0, stdin: bytes = b"", **environment: str) -> Any:
        env = {
            **os.environ,
            "CONVEXPY_URL": deployed.url,
            "CONVEXPY_DEPLOY_KEY": deployed.admin_key,
            **environment,
        }
        done = subprocess.run(
            [sys.executable, "-m", "convexpy_cli", *arguments],
            cwd=project, env=env, input=stdin, capture_output=True, timeout=200, check=False,
        )  # fmt: skip
        assert done.returncode == expect, done.stderr.decode() + done.stdout.decode()
        assert deployed.admin_key not in (done.stdout + done.stderr).decode(errors="replace")
        return done

    return run


def code_of(done: Any) -> str:
    code: str = json.loads(done.stderr.splitlines()[-1])["error"]["code"]
    return code


def documents(server: ServerProcess, table: str) -> list[dict[str, Any]]:
    opts = {"numItems": 100, "cursor": None}
    page: list[dict[str, Any]] = system(
        server, "_system/cli/tableData", table=table, order="asc", paginationOpts=opts
    )["page"]
    return page


def values(server: ServerProcess, table: str) -> list[dict[str, Any]]:
    return [{k: v for k, v in each.items() if not k.startswith("_")} for each in documents(server, table)]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("users.csv", 'name,zip,n\nada,0040,1.5\n"bo, jr",12,\n'),
        ("users.jsonl", '{"name":"ada","zip":"0040","n":1.5}\n{"name":"bo, jr","zip":"12"}\n'),
        ("users.json", '[{"name":"ada","zip":"0040","n":1.5},{"name":"bo, jr","zip":"12"}]'),
    ],
)
def test_files_of_every_format(
    command: Command, project: Path, deployed: ServerProcess, name: str, text: str
) -> None:
    (project / name).write_text(text)
    done = command("import", "--table", "users", name, "--json", CONVEX_IMPORT_CHUNK_SIZE="7")
    result = json.loads(done.stdout)
    assert result["state"] == "completed"
    assert result["tables"] == [{"name": "users", "before": 0, "after": 2}]
    assert (result["documents"], result["bytes"]) == (2, len(text))
    expected = [{"name": "ada", "zip": "0040", "n": 1.5}, {"name": "bo, jr", "zip": "12"}]
    assert values(deployed, "users") == expected


def test_there_and_back_everything_is_equal(command: Command, project: Path, deployed: ServerProcess) -> None:
    lines = [
        '{"text":"ü\\n","big":{"$integer":"//////////8="},"bytes":{"$bytes":"AAE="},"float":0.5}', '{"deep":{"a":[1,null,true]}}',
    ]  # fmt: skip
    command("import", "--table", "notes", "-", "--format", "jsonl", stdin="\n".join(lines).encode())
    (project / "a.txt").write_text("a file")
    command("storage", "put", "a.txt")
    before = documents(deployed, "notes"), documents(deployed, "_storage")
    result = json.loads(command("export", "--path", "one.zip", "--include-file-storage", "--json").stdout)
    assert result["path"] == "one.zip"
    assert result["sha256"] == hashlib.sha256((project / "one.zip").read_bytes()).hexdigest()
    assert (result["tables"], result["files"]) == ({"notes": 2, "users": 0}, 1)
    command("import", "--table", "notes", "-", "--format", "jsonl", "--append", stdin=b'{"later":1}')
    command("import", "--replace-all", "one.zip", "--allow=data-replace")
    told = command("export", "--path", "two.zip", "--include-file-storage")
    assert b"exported 2 documents in 2 tables, 1 file" in told.stderr
    made = command("backup", "create")
    assert b"backup: 2 documents in 2 tables" in made.stderr
    assert made.stdout.strip() in made.stderr
    assert (documents(deployed, "notes"), documents(deployed, "_storage")) == before
    assert contents(project / "one.zip") == contents(project / "two.zip")
    assert not list(project.glob("*.part"))


def contents(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_other_formats_are_files_and_go_back(
    command: Command, project: Path, deployed: ServerProcess
) -> None:
    data = b'{"name":"a,\\"b\\"","zip":"007","n":3}\n'
    command("import", "--table", "users", "-", "--format", "jsonl", stdin=data)
    before = documents(deployed, "users")
    done = command("export", "--tables", "users", "--format", "csv", "--path", "-")
    assert done.stdout.splitlines()[0] == b"_id,_creationTime,n,name,zip"
    replaced = ("--table", "users", "--replace", "--allow=data-replace")
    command("import", *replaced, "-", "--format", "csv", stdin=done.stdout)
    assert documents(deployed, "users") == before
    done = command("export", "--format", "jsonl", "--path", "out", "--json")
    assert sorted(path.name for path in (project / "out").iterdir()) == ["notes.jsonl", "users.jsonl"]
    command("import", *replaced, "out/users.jsonl")
    assert documents(deployed, "users") == before
    assert (
        code_of(command("export", "--format", "jsonl", "--path", "out", "--json", expect=9)) == "FileExists"
    )


def test_replacing_wants_consent_and_says_how_much(
    command: Command, project: Path, deployed: ServerProcess
) -> None:
    (project / "u.jsonl").write_text('{"name":"a","zip":"1"}\n')
    command("import", "--table", "users", "u.jsonl")
    done = command("import", "--table", "users", "u.jsonl", "--json", expect=9)
    assert code_of(done) == "TableNotEmpty"
    done = command("import", "--table", "users", "u.jsonl", "--replace", "--yes", "--json", expect=9)
    assert code_of(done) == "ConsentRequired"
    assert rb"1 document in \"users\" would be replaced" in done.stderr
    before = documents(deployed, "users")
    command("import", "--table", "users", "u.jsonl", "--replace", "--allow=data-replace")
    after = documents(deployed, "users")
    assert len(after) == 1
    assert after != before


def test_bad_rows_are_named_up_to_twenty(command: Command, project: Path, deployed: ServerProcess) -> None:
    rows = ["name,zip,n", *[f"x{n},1,{n}" for n in range(5)], *["y,2,many"] * 30]
    (project / "u.csv").write_text("\n".join(rows))
    for flags in (("--dry-run",), ()):
        done = command("import", "--table", "users", "u.csv", "--json", *flags, expect=8)
        error = json.loads(done.stderr.splitlines()[-1])["error"]
        assert error["code"] == "ImportRowsInvalid"
        assert error["data"]["count"] == 30
        assert len(error["data"]["rows"]) == 20
        assert error["data"]["rows"][0]["line"] == 7
        assert b"u.csv:7:3: n: 'many' is not a number" in done.stderr
    assert documents(deployed, "users") == []
    done = command(
        "import", "--table", "users", "u.csv", "--types", "n=string", "--dry-run", "--json", expect=8
    )
    assert b"n" in done.stderr


def test_a_dry_run_that_is_fine_writes_nothing(
    command: Command, project: Path, deployed: ServerProcess
) -> None:
    (project / "u.csv").write_text("name,zip\na,1\n")
    done = command("import", "--table", "users", "u.csv", "--dry-run", "--json")
    assert json.loads(done.stdout)["state"] == "validated"
    assert documents(deployed, "users") == []


def test_an_upload_is_gone_on_with(command: Command, project: Path, deployed: ServerProcess) -> None:
    from support.transfers import post

    data = b'{"name":"a","zip":"1"}\n'
    (project / "u.jsonl").write_bytes(data)
    token = post(deployed, "/api/import/start_upload")["uploadToken"]
    path = f"/api/import/upload_part?uploadToken={token}&partNumber=1"
    deployed.request("POST", path, raw=data[:10], admin=True)
    command("import", "--table", "users", "u.jsonl", "--resume", token, CONVEX_IMPORT_CHUNK_SIZE="10")
    assert values(deployed, "users") == [{"name": "a", "zip": "1"}]


def test_status_and_cancel(command: Command, project: Path) -> None:
    (project / "u.jsonl").write_text('{"name":"a","zip":"1"}\n')
    id = json.loads(command("import", "--table", "users", "u.jsonl", "--json").stdout)["id"]
    assert json.loads(command("import", "--status", id, "--json").stdout)["state"] == "completed"
    assert json.loads(command("import", "--cancel", id, "--json").stdout)["state"] == "completed"
    assert code_of(command("import", "--status", "nothing", "--json", expect=2)) == "ImportNotFound"


@pytest.mark.parametrize(
    "arguments",
    [
        ("import",),
        ("import", "nothing.csv", "--table", "users"),
        ("import", "convexpy.toml", "--table", "users"),
        ("import", "convexpy.toml", "--format", "csv"),
        ("import", "convexpy.toml", "--format", "zip", "--table", "users"),
        ("import", "convexpy.toml", "--format", "csv", "--table", "users", "--append", "--replace"),
        ("export", "--format", "xml"),
        ("export", "--format", "csv", "--path", "-"),
        ("export", "--format", "csv", "--include-file-storage"),
        ("backup", "create", "--expires", "soon"),
        ("backup", "download", "nothing"),
    ],
)
def test_what_makes_no_sense_is_refused(command: Command, arguments: tuple[str, ...]) -> None:
    expect = 1 if "nothing.csv" in arguments else 2
    assert command(*arguments, "--json", expect=expect).stdout == b""


def test_a_hostile_zip_is_refused(command: Command, project: Path, deployed: ServerProcess) -> None:
    with zipfile.ZipFile(project / "evil.zip", "w") as archive:
        archive.writestr("users/documents.jsonl", '{"name":"a","zip":"1"}')
        archive.writestr("/etc/evil", "x")
    assert code_of(command("import", "evil.zip", "--json", expect=9)) == "SnapshotRefused"
    assert documents(deployed, "users") == []


# Backups


@pytest.fixture
def backed_up(command: Command, deployed: ServerProcess, project: Path) -> Any:
    command("import", "--table", "users", "-", "--format", "csv", stdin=b"name,zip\nada,1\n")
    deployed.request(
        "POST", "/api/update_environment_variables", {"changes": [{"name": "SECRET", "value": "hidden-value"}]}, admin=True
    )  # fmt: skip
    (project / "kept").mkdir()
    done = command("backup", "create", "--include-file-storage", "--to", "kept", "--expires", "2d", "--json")
    return json.loads(done.stdout)


def test_a_backup_has_names_but_no_values(command: Command, project: Path, backed_up: dict[str, Any]) -> None:
    path = Path(backed_up["path"])
    assert (project / path).exists()
    everything = contents(project / path)
    manifest = json.loads(everything["_convexpy/manifest.json"])
    assert manifest["environmentVariables"] == ["SECRET"]
    assert manifest["codeVersion"] == 1
    assert "users" in manifest["schema"]["tables"]
    assert not any(b"hidden-value" in data for data in everything.values())
    assert json.loads(command("backup", "verify", str(path), "--json").stdout)["tables"] == {
        "notes": 0,
        "users": 1,
    }
    listed = json.loads(command("backup", "list", "--json", "--max-age", "1h").stdout)
    assert [found["id"] for found in listed] == [backed_up["id"]]
    assert listed[0]["expiresAt"] - listed[0]["createdAt"] > 2 * 86_400_000 - 1


def test_a_damaged_backup_is_found_out(command: Command, project: Path, backed_up: dict[str, Any]) -> None:
    path = project / backed_up["path"]
    entries = contents(path)
    for name, data in {
        "users/documents.jsonl": b'{"name":5,"zip":"1"}\n',
        "_convexpy/manifest.json": entries["_convexpy/manifest.json"].replace(b'"users": 1', b'"users": 2'),
    }.items():
        damaged = project / "damaged.zip"
        with zipfile.ZipFile(damaged, "w") as archive:
            for entry, content in {**entries, name: data}.items():
                archive.writestr(entry, content)
        assert code_of(command("backup", "verify", "damaged.zip", "--json", expect=1)) == "BackupDamaged"


@pytest.mark.parametrize("from_file", [True, False])
def test_restoring_makes_a_backup_first(
    command: Command, deployed: ServerProcess, backed_up: dict[str, Any], from_file: bool
) -> None:
    before = documents(deployed, "users")
    command("import", "--table", "users", "-", "--format", "csv", "--append", stdin=b"name,zip\nbo,2\n")
    which = backed_up["path"] if from_file else backed_up["id"]
    assert code_of(command("backup", "restore", which, "--json", expect=9)) == "ConsentRequired"
    assert len(documents(deployed, "users")) == 2
    result = json.loads(command("backup", "restore", which, "--allow=data-replace", "--json").stdout)
    assert documents(deployed, "users") == before
    command("backup", "restore", result["backup"], "--allow=data-replace")
    assert [user["name"] for user in values(deployed, "users")] == ["ada", "bo"]


def test_deleting_and_downloading(command: Command, project: Path, backed_up: dict[str, Any]) -> None:
    id = backed_up["id"]
    path = command("backup", "download", id, "--path", "again.zip").stdout.decode().strip()
    assert (project / path).read_bytes() == (project / backed_up["path"]).read_bytes()
    assert (
        code_of(command("backup", "download", id, "--path", "again.zip", "--json", expect=9)) == "FileExists"
    )
    assert code_of(command("backup", "delete", id, "--json", expect=9)) == "ConsentRequired"
    command("backup", "delete", id, "--yes")
    assert json.loads(command("backup", "list", "--json").stdout) == []
    command("backup", "list", "--max-age", "1d", expect=1)
