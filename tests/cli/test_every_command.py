"""What every command must hold: it ends by itself, with the status that is specified, and its stdout is for programs.

Each command of the table has a command line here. All of them run with stdin closed or empty, against a deployment that
answers, one that does not exist, one that never says a word, and with a key that is wrong.
"""

from __future__ import annotations

import itertools
import json
import shlex
import socket
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from support.command_lines import Ended, run_all
from support.processes import ServerProcess
from typer.main import get_command

from convexpy_cli import main, reference

REFUSED, WRONG_KEY, SILENT = 6, 5, 124
NUMBERS = itertools.count()
COMMANDS = dict(reference.commands())

SCHEMA = """
from convexpy import define_schema, define_table, v

schema = define_schema({"notes": define_table({"text": v.string()}).index("by_text", ["text"])})
"""
NOTES = """
from convexpy import MutationCtx, QueryCtx, internal, mutation, query


@query(name="list")
def list_(ctx: QueryCtx, limit: int = 10) -> list[str]:
    print("listing")
    return [note["text"] for note in ctx.db.query("notes").take(limit)]


@mutation
def add(ctx: MutationCtx, text: str) -> str:
    return ctx.db.insert("notes", {"text": text})


@mutation
def later(ctx: MutationCtx) -> str:
    return ctx.scheduler.run_after(3_600_000, internal.notes.add, {"text": "later"})
"""
CRONS = """
from convexpy import cron_jobs

from .notes import add

crons = cron_jobs()
crons.daily("tidy", add, {"text": "tidy"}, hour_utc=3, minute_utc=0)
"""


@dataclass(frozen=True)
class Case:
    """A command line and how it ends: against a deployment that answers, and whether it asks one at all."""

    words: str
    live: int | tuple[int, ...] = 0
    asks: bool = True
    known: dict[str, int] = field(default_factory=dict[str, int])

    def statuses(self, situation: str) -> tuple[int, ...]:
        """Return the statuses that are right."""
        if situation in self.known:
            return (self.known[situation],)
        if situation == "live" or not self.asks:
            return self.live if isinstance(self.live, tuple) else (self.live,)
        return ({"dead": REFUSED, "wrong": WRONG_KEY, "silent": SILENT}[situation],)


CASES: dict[str, Case] = {
    "init": Case("init made --template minimal --no-install --no-git --no-agents", asks=False),
    "dev": Case("dev --once --typecheck disable"),
    "database copy": Case("database copy --from here --to there", live=2, asks=False),
    "serve": Case("serve --log-sink http://127.0.0.1:9", live=12, asks=False),
    "deploy": Case("deploy --dry-run --typecheck disable"),
    "run": Case("run notes:list limit=2"),
    "shell": Case("shell -c 'db.query(\"notes\").count()'"),
    "logs": Case("logs --history 5 --no-follow"),
    "data": Case("data notes --limit 3"),
    "data get": Case("data get {note0}"),
    "data insert": Case('data insert notes \'{{"text": "new"}}\''),
    "data patch": Case('data patch {note0} \'{{"text": "other"}}\''),
    "data delete": Case("data delete {note1}"),
    "env set": Case("env set PLACE here"),
    "env list": Case("env list"),
    "env get": Case("env get PLACE"),
    "env pull": Case("env pull .env.local"),
    "env diff": Case("env diff .env.local", live=1),
    "env remove": Case("env remove PLACE"),
    "import": Case("import --table notes --append notes.jsonl"),
    "export": Case("export --path made.zip"),
    "backup create": Case("backup create"),
    "backup list": Case("backup list"),
    "backup download": Case("backup download {backup} --path fetched.zip"),
    "backup restore": Case("backup restore {backup} --allow=data-replace"),
    "backup delete": Case("backup delete {backup} --yes"),
    "backup verify": Case("backup verify snapshot.zip", asks=False),
    "storage list": Case("storage list"),
    "storage put": Case("storage put notes.jsonl"),
    "storage get": Case("storage get {file0} -o fetched.jsonl"),
    "storage url": Case("storage url {file0}"),
    "storage info": Case("storage info {file0}"),
    "storage delete": Case("storage delete {file1}"),
    "schema show": Case("schema show --deployed"),
    "schema diff": Case("schema diff"),
    "schema check": Case("schema check"),
    "schema infer": Case("schema infer notes"),
    "functions list": Case("functions list"),
    "functions show": Case("functions show notes:add"),
    "functions spec": Case("functions spec"),
    "functions openapi": Case("functions openapi"),
    "schedule list": Case("schedule list"),
    "schedule show": Case("schedule show {job}"),
    "schedule cancel": Case("schedule cancel {job}"),
    "crons list": Case("crons list"),
    "crons history": Case("crons history tidy"),
    "crons run": Case("crons run tidy"),
    "status": Case("status"),
    "dashboard": Case("dashboard --port 65535 --timeout 10", live=(10, 124)),
    "deployment list": Case("deployment list", asks=False),
    "deployment show": Case("deployment show", asks=False),
    "deployment select": Case("deployment select local", asks=False),
    "deployment add": Case("deployment add other --url {url} --key {key}"),
    "deployment rename": Case("deployment rename staging qa", asks=False),
    "deployment remove": Case("deployment remove qa", asks=False),
    "deployment history": Case("deployment history"),
    "deployment previews": Case("deployment previews", live=12),
    "deployment delete": Case("deployment delete preview/x --allow=data-delete", live=12),
    "deployment reset": Case("deployment reset local --allow=data-delete --confirm local", asks=False),
    "keys create": Case("keys create more{number} --kind deploy --expires 1d"),
    "keys list": Case("keys list"),
    "keys rotate": Case("keys rotate spare{number}"),
    "keys rotate-signing": Case("keys rotate-signing"),
    "keys revoke": Case("keys revoke spare{number}"),
    "login": Case("login {url} --key {key}"),
    "login status": Case("login status", asks=False),
    "logout": Case("logout --all", asks=False),
    "codegen": Case("codegen", asks=False),
    "typecheck": Case("typecheck --checker mypy", asks=False),
    "docs": Case("docs deploying", asks=False),
    "help": Case("help env set", asks=False),
    "completion show": Case("completion show bash", asks=False),
    "completion install": Case("completion install bash --yes", asks=False),
    "completion uninstall": Case("completion uninstall bash --yes", asks=False),
    "mcp": Case("mcp", asks=False),
    "mcp install": Case("mcp install --yes", asks=False),
    "doctor": Case("doctor", live=(0, 1), asks=False),
    "update": Case("update", asks=False),
    "version": Case("version", asks=False),
}
"""A command line for each command, in an order that works: what one needs, one before it has made."""

MAY_KEEP = ("credentials.toml", ".env.local", "job.json", "results.json", "stdout", "stderr")
"""Files that may hold secrets: those that are there for it, and those of the tests themselves."""

FOLLOWING = ("logs -f", "status --watch", "run notes:list --watch", "dev --typecheck disable")
"""Command lines that go on until they are stopped: --timeout is what ends them here."""

UNANSWERED: dict[str, int] = {
    "run": 2,
    "shell": 4,
    "env set NAME": 4,
    "login {url}": 4,
    "login": 2,
    "deployment add third --url {url}": 4,
    "data insert notes -": 2,
    "data delete {note0} {note2}": 9,
    "storage delete {file0} {file2}": 9,
    "schedule cancel --all": 9,
    "import --table notes --replace notes.jsonl": 9,
    "backup restore snapshot.zip": 9,
    "deployment reset local": 9,
    "keys revoke {current}": 9,
    "status --url {url} --admin-key -": 4,
    "login {url} --key -": 4,
    "deployment add third --url {url} --key -": 4,
    "run notes:add -": 2,
}
"""Command lines that need an answer, with the status that they end with where nobody is there to give it."""


def documented() -> list[tuple[str, str]]:
    """Every example of every command."""
    return [(name, example) for name, context in COMMANDS.items() for example in context.examples]


def convexpy_part(example: str, name: str) -> list[str]:
    """The words of this command in an example, which may have pipes and redirections around it."""
    words = shlex.split(example.replace("$(", " ").replace(')"', " ").replace('eval "', "eval "))
    own = ["convexpy", *name.split()]
    start = next(place for place in range(len(words)) if words[place : place + len(own)] == own) + 1
    ends = [place for place, word in enumerate(words) if place > start and word in ("|", ">", ">>", "<")]
    fed = ["ID"] if words[start - 2] == "xargs" else []
    return words[start : min(ends, default=len(words))] + fed


@pytest.mark.parametrize(("name", "example"), documented())
def test_documented_examples_are_understood(name: str, example: str) -> None:
    parsed(convexpy_part(example, name))


def parsed(words: list[str]) -> Any:
    """Parse a command line, as far as its last command, and return that one's context."""
    context = get_command(main.app).make_context("convexpy", words, help_option_names=["-h", "--help"])
    while hasattr(context.command, "commands"):
        name, command, rest = context.command.resolve_command(
            context, [*context._protected_args, *context.args]
        )
        context = command.make_context(name, rest, parent=context)
    return context


@pytest.mark.slow
def test_every_command_has_a_line_here() -> None:
    assert set(COMMANDS) - set(CASES) == set()
    for name, case in commands():
        assert parsed(shlex.split(case.words)).command_path == f"convexpy {name}"


@dataclass
class Place:
    """A project, a deployment, and what the command lines are about."""

    folder: Path
    scratch: Path
    server: ServerProcess
    values: dict[str, str]
    secrets: dict[str, str]

    def lines(self, templates: Sequence[str], *flags: str) -> list[list[str]]:
        return [[*shlex.split(template.format(**self.values)), *flags] for template in templates]

    def run(
        self,
        lines: Sequence[Sequence[str]],
        name: str,
        *,
        url: str | None = None,
        key: str | None = None,
        closed: bool = False,
        **environment: str,
    ) -> list[Ended]:
        """Run command lines with a target of their own, all in one other process."""
        variables = {
            "HOME": str(self.scratch / "home"),
            "CONVEXPY_URL": url or self.server.url,
            "CONVEXPY_DEPLOY_KEY": key or self.values["key"],
            # A proxy that is dead, and what it would be told: the deployment is on this machine.
            **dict.fromkeys(
                ("HTTP_PROXY", "HTTPS_PROXY"), f"http://user:{self.secrets['proxy']}@127.0.0.1:9"
            ),
            **environment,
        }
        return run_all(lines, self.folder, self.scratch / name, environment=variables, closed_stdin=closed)


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """One server for all of this file."""
    server = ServerProcess(tmp_path_factory.mktemp("deployment") / "data")
    server.push_ok({"schema.py": SCHEMA, "notes.py": NOTES, "crons.py": CRONS})
    yield server
    server.close()


@pytest.fixture
def place(deployment: ServerProcess, tmp_path: Path) -> Place:
    """A project of its own, and things in the deployment that its commands may change or delete."""
    folder = tmp_path / "app"
    (folder / "convex").mkdir(parents=True)
    (tmp_path / "home").mkdir()
    (folder / "convexpy.toml").write_text(
        '[project]\nname = "app"\n\n[deployments.staging]\nurl = "http://127.0.0.1:9"\n'
    )
    for name, text in (("schema.py", SCHEMA), ("notes.py", NOTES), ("crons.py", CRONS)):
        (folder / "convex" / name).write_text(text)
    (folder / "notes.jsonl").write_text('{"text": "imported"}\n')
    values = {"url": deployment.url, "key": deployment.admin_key, "scratch": str(tmp_path)}
    values["number"] = str(next(NUMBERS))
    values["ports"] = "--host 127.0.0.1 --port 0 --site-port 0"
    for number in range(3):
        values[f"note{number}"] = deployment.call("mutation", "notes:add", text=f"note {number}")
    values["job"] = deployment.call("mutation", "notes:later")
    secrets = {
        "key": deployment.admin_key.partition("|")[2],
        "variable": "value-that-nobody-sees",
        "proxy": "password-of-the-proxy",
        "file": "value-in-a-file",
    }
    (folder / ".env.local").write_text(f"SOMETHING={secrets['file']}\n")
    found = Place(folder, tmp_path, deployment, values, secrets)
    prepared = found.run(
        [["storage", "put", *["notes.jsonl"] * 3, "--json"], ["backup", "create", "--json"],
         ["keys", "create", f"spare{values['number']}", "--json"], ["export", "--path", "snapshot.zip"], ["env", "set", "SECRET", secrets["variable"], "--replace-existing"]], "prepare"
    )  # fmt: skip
    assert [each.status for each in prepared] == [0] * 5, prepared
    for number, file in enumerate(json.loads(prepared[0].stdout)):
        values[f"file{number}"] = file["id"]
    values["backup"] = json.loads(prepared[1].stdout)["id"]
    values["current"] = "first"
    return found


def commands() -> list[tuple[str, Case]]:
    return [(name, case) for name, case in CASES.items() if name in COMMANDS]


def wrong(ended: Ended, statuses: Sequence[int], *, machine: bool) -> list[str]:
    """What is not as it must be."""
    shown = f"{' '.join(ended.arguments)}: {ended.status}\n{ended.stdout[-1500:]}\n{ended.stderr[-1500:]}"
    faults: list[str] = []
    if ended.status not in statuses:
        faults.append(f"not {statuses}")
    if "Traceback" in ended.stderr and "--debug" not in ended.arguments:
        faults.append("a traceback")
    if machine and not is_for_programs(ended):
        faults.append("stdout is not for programs")
    if (
        machine
        and ended.status not in (0, 130)
        and not ended.stdout
        and "error" not in last_object(ended.stderr)
    ):
        faults.append("no error object")
    return [f"{fault}: {shown}" for fault in faults]


def leaks(place: Place, ended: Sequence[Ended]) -> list[str]:
    """Where a secret has come to be seen or kept."""
    found = [
        f"the {name} is shown by {' '.join(each.arguments)}"
        for each in ended
        for name, secret in place.secrets.items()
        if secret in each.stdout + each.stderr
    ]
    for file in place.scratch.rglob("*"):
        if not file.is_file() or file.name in MAY_KEEP:
            continue
        content = file.read_bytes()
        found += [
            f"the {name} is in {file}" for name, secret in place.secrets.items() if secret.encode() in content
        ]
    return found


def is_for_programs(ended: Ended) -> bool:
    """Whether stdout is empty, one JSON document, or a JSON object on each line."""
    lines = ended.stdout.splitlines()
    streams = "jsonl" in parsed(ended.arguments).formats and len(lines) > 1
    if not streams and len(lines) > 1:
        return False
    try:
        for line in lines:
            json.loads(line)
    except ValueError:
        return False
    return True


def last_object(text: str) -> Mapping[str, Any]:
    try:
        found = json.loads(text.strip().splitlines()[-1])
    except (ValueError, IndexError):
        return {}
    return found if isinstance(found, dict) else {}


@pytest.mark.slow
@pytest.mark.parametrize("closed", [True, False], ids=["closed", "null"])
def test_with_nobody_there_every_command_does_its_work(place: Place, closed: bool) -> None:
    # As a pipeline runs them: once in words, once for a program, with all that is said aside and a proxy that is dead.
    flags = () if closed else ("--json", "-v", "--debug")
    cases = commands()
    ended = place.run(
        place.lines([case.words for _, case in cases], *flags),
        "live",
        closed=closed,
    )
    faults = [
        fault
        for each, (_, case) in zip(ended, cases, strict=True)
        for fault in wrong(each, case.statuses("live"), machine=not closed)
    ]
    faults += leaks(place, ended)
    assert not faults, "\n\n".join(faults)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("situation", "machine"),
    [("dead", True), ("dead", False), ("wrong", True), ("wrong", False), ("silent", True)],
)
def test_a_deployment_that_is_of_no_use_ends_every_command(
    place: Place, situation: str, machine: bool
) -> None:
    cases = [(name, case) for name, case in commands() if case.asks or situation == "dead"]
    with socket.create_server(("127.0.0.1", 0), backlog=128) as silent, socket.socket() as dead:
        dead.bind(("127.0.0.1", 0))  # nobody else gets the port, and nobody listens
        listener = dead if situation == "dead" else silent
        url = None if situation == "wrong" else f"http://127.0.0.1:{listener.getsockname()[1]}"
        key = place.values["key"][:-6] + "abcdef" if situation == "wrong" else None
        place.values |= {"url": url or place.values["url"], "key": key or place.values["key"]}
        place.secrets["key of this test"] = place.values["key"].partition("|")[2]
        flags = [
            *(["--json", "--debug"] if machine else []),
            *(["--timeout", "0.25"] if situation == "silent" else []),
        ]
        ended = place.run(
            place.lines([case.words for _, case in cases], *flags),
            situation,
            url=url,
            key=key,
            closed=machine,
        )
    faults = [
        fault
        for each, (_, case) in zip(ended, cases, strict=True)
        for fault in wrong(each, case.statuses(situation), machine=machine)
    ]
    faults += leaks(place, ended)
    assert not faults, "\n\n".join(faults)


@pytest.mark.slow
@pytest.mark.parametrize("closed", [True, False], ids=["closed", "null"])
def test_what_cannot_be_asked_ends_the_command(place: Place, closed: bool) -> None:
    ended = place.run(place.lines(list(UNANSWERED)), "unanswered", closed=closed)
    faults = [
        fault
        for each, status in zip(ended, UNANSWERED.values(), strict=True)
        for fault in wrong(each, (status,), machine=False)
    ]
    faults += leaks(place, ended)
    assert not faults, "\n\n".join(faults)


@pytest.mark.slow
def test_commands_that_follow_end_at_their_time_limit(place: Place) -> None:
    ended = place.run(place.lines(FOLLOWING, "--json", "--timeout", "1.5"), "following", closed=True)
    faults = [fault for each in ended for fault in wrong(each, (124,), machine=True)]
    faults += leaks(place, ended)
    assert not faults, "\n\n".join(faults)
