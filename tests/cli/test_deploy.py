"""`convexpy deploy` against a real server: plan, consents, checks, builds, and every way in which it can go wrong."""

from __future__ import annotations

import concurrent.futures
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.processes import ServerProcess, wait_for
from support.sockets import SyncSocket
from support.terminal import Terminal

pytestmark = pytest.mark.slow

BARE = ("deploy", "--typecheck", "disable", "--codegen", "disable")


@pytest.fixture(scope="module")
def one_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server as in production, for tests that leave nothing that others would mind."""
    server = ServerProcess(tmp_path_factory.mktemp("deploy") / "data", "--redact-errors")
    yield server
    server.close()


@pytest.fixture
def remote(one_server: ServerProcess, monkeypatch: pytest.MonkeyPatch, project: Path) -> ServerProcess:
    """That server as the target of this test's environment; it has no documents, and the project's first version."""
    target(one_server, monkeypatch)
    one_server.push_ok({path.name: path.read_text() for path in (project / "convex").glob("*.py")} | CLEARING)
    one_server.call("mutation", "clearing:clear")
    one_server.push_ok({path.name: path.read_text() for path in (project / "convex").glob("*.py")})
    return one_server


CLEARING = {
    "clearing.py": "from convexpy import mutation\n@mutation\ndef clear(ctx):\n    for d in ctx.db.query('notes').collect():\n        ctx.db.delete(d['_id'])"
}


def target(server: ServerProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a server the target of commands."""
    monkeypatch.setenv("CONVEXPY_URL", server.url)
    monkeypatch.setenv("CONVEXPY_DEPLOY_KEY", server.admin_key)


def edit(project: Path, file: str, old: str, new: str) -> None:
    """Change a file of the project."""
    path = project / "convex" / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def last(result: Any) -> str:
    """Return the last line for people."""
    line: str = result.stderr.strip().splitlines()[-1]
    return line


def test_a_deploy_goes_live_and_prints_the_url(remote: ServerProcess, run: Any, project: Path) -> None:
    edit(project, "notes.py", "return [note", "return ['deployed'] + [note")
    with SyncSocket(remote.url) as client:
        client.subscribe(0, "notes:list", limit=3)
        client.transition()
        assert client.results == {0: []}
        result = run(*BARE, "--message", "the first", "--actor", "Ada", expect=0)
        client.until_result(0, lambda value: value == ["deployed"])
    assert result.stdout == f"{remote.url}\n"
    assert "~ notes.py" in result.stderr
    assert "now serves version" in last(result)
    newest = run("deployment", "history", "--limit", "1", "--json").json()[0]
    assert (newest["message"], newest["actor"], newest["state"]) == ("the first", "Ada", "active")
    again = run(*BARE, "--json").json()
    assert (again["applied"], again["unchanged"], again["changes"]) == (True, True, [])


def test_a_dry_run_has_the_shape_of_the_specification(remote: ServerProcess, run: Any, project: Path) -> None:
    edit(project, "notes.py", "limit: int = 10", "limit: int = 10, tag: str | None = None")
    (project / "convex" / "more.py").write_text(
        "from .notes import add as again\nimport os\nx = os.getenv('TAX_KEY')\n"
    )
    before = remote.request("GET", "/api/convexpy/history", admin=True)[1]
    result = run(*BARE, "--dry-run", "--json")
    document = result.json()
    assert set(document) == {"target", "from", "to", "changes", "blocked", "checks", "applied"}
    assert document["applied"] is False
    assert document["blocked"] == []
    assert document["to"]["version"] == document["from"]["version"] + 1
    assert all({"area", "kind", "name", "detail", "consent"} <= set(change) for change in document["changes"])
    unset = next(change for change in document["changes"] if change["area"] == "env")
    assert "used in convex/more.py:3" in unset["detail"]
    assert remote.request("GET", "/api/convexpy/history", admin=True)[1] == before
    assert not (project / "convex" / "_generated").exists()
    shown = run(*BARE, "--dry-run", "--diff").stderr
    assert "args: + tag?: string | null" in shown
    assert "+   tag?: string | null" in shown


@pytest.mark.parametrize("narrow", [False, True])
def test_each_harm_needs_its_own_consent(
    remote: ServerProcess, run: Any, project: Path, narrow: bool
) -> None:
    remote.call("query", "notes:list")
    remote.call("mutation", "notes:add", text="a")
    remote.call("mutation", "notes:add", text="b")
    (project / "convexpy.toml").write_text('[project]\nname = "app"\n[deploy]\nlarge-table-documents = 1\n')
    edit(project, "schema.py", '.index("by_text", ["text"])', "")
    edit(project, "notes.py", '@query(name="list")', '@query(name="all")')
    first = run(*BARE, "--yes", expect=9)
    both = "--allow=function-removal:notes:list,index-drop:notes.by_text"
    assert f"try                        {both}" in first.stderr
    assert "2 changes need consent; nothing was changed" in first.stderr
    assert "still serves version" in last(first)
    one = "function-removal:notes:list" if narrow else "function-removal"
    second = run(*BARE, f"--allow={one}", "--json", expect=9).error()
    assert (second["code"], second["hint"]) == ("ConsentRequired", "--allow=index-drop:notes.by_text")
    assert remote.call("query", "notes:list") == ["a", "b"]
    run(
        *BARE,
        both if narrow else "--allow=function-removal",
        *(() if narrow else ("--allow-deleting-large-indexes",)),
    )
    assert remote.call("query", "notes:all") == ["a", "b"]


def test_documents_that_do_not_fit_are_exit_8(remote: ServerProcess, run: Any, project: Path) -> None:
    remote.call("mutation", "notes:add", text="a")
    edit(project, "schema.py", "v.string()", "v.number()")
    error = run(*BARE, "--json", expect=8).error()
    assert error["code"] == "SchemaMismatch"
    assert error["data"]["tables"][0]["count"] == 1
    assert remote.call("query", "notes:list") == ["a"]
    planned = run(*BARE, "--dry-run", "--json", expect=8)
    assert planned.json()["checks"]["data"] == "failed"


def test_stale_generated_files_and_broken_code_are_exit_7(
    remote: ServerProcess, run: Any, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deploy = ("deploy", "--typecheck", "disable")
    error = run(*deploy, "--codegen", "check", "--json", expect=7).error()
    assert error["code"] == "GeneratedFilesStale"
    run(*deploy)
    run("codegen", "--check")
    edit(project, "notes.py", "limit: int", "most: int")
    edit(project, "notes.py", "take(limit)", "take(most)")
    monkeypatch.setenv("CI", "true")
    assert run(*deploy, "--json", expect=7).error()["data"]["stale"]
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    (project / "convex" / "bad.py").write_text("x = 1\ndef f(:\n")
    broken = run(*BARE, expect=7)
    assert "::error file=convex/bad.py,line=2,col=" in broken.stderr
    assert "still serves" not in last(broken) or "nothing was changed" in last(broken)
    assert remote.call("query", "notes:list") == []


def test_type_errors_hold_a_deploy_back(remote: ServerProcess, run: Any, project: Path) -> None:
    checker = project / "checker.sh"
    checker.write_text("#!/bin/sh\necho 'convex/notes.py:7:5: error: wrong type  [oh-no]'\nexit 1\n")
    checker.chmod(0o755)
    (project / "convexpy.toml").write_text(f'[project]\nname = "app"\n[typecheck]\nchecker = "{checker}"\n')
    error = run("deploy", "--codegen", "disable", "--json", expect=7).error()
    assert (error["code"], error["location"]["line"]) == ("TypecheckFailed", 7)
    assert (
        run("deploy", "--codegen", "disable", "--typecheck", "try", "--json").json()["checks"]["typecheck"]
        == "failed"
    )


def test_required_variables_come_first_and_can_be_set_with_it(
    remote: ServerProcess, run: Any, project: Path
) -> None:
    (project / "convexpy.toml").write_text('[project]\nname = "app"\n[env]\nrequired = ["NEEDED_KEY"]\n')
    touched = project / "touched"
    error = run(*BARE, "--cmd", f"touch {touched}", "--json", expect=3).error()
    assert (error["code"], error["data"]["missing"]) == ("EnvMissing", ["NEEDED_KEY"])
    assert not touched.exists()
    (project / "convex" / "env.py").write_text(
        "import os\nfrom convexpy import query\n@query\ndef get(ctx):\n    return os.environ['NEEDED_KEY']\n"
    )
    done = run(*BARE, "--set-env", "NEEDED_KEY=very secret text", "-v")
    assert "very secret" not in done.stderr + done.stdout
    assert remote.call("query", "env:get") == "very secret text"
    run("env", "remove", "NEEDED_KEY", "--yes")


def test_a_build_is_told_where_the_deployment_is(remote: ServerProcess, run: Any, project: Path) -> None:
    (project / "package.json").write_text('{"devDependencies": {"vite": "7"}}')
    names = ("CONVEX_URL", "CONVEX_SITE_URL", "VITE_CONVEX_URL", "VITE_CONVEX_SITE_URL", "MY_URL")
    command = "echo built; echo " + " ".join(f"${name}" for name in names) + " > seen"
    result = run(*BARE, "--cmd", command, "--cmd-url-env-var-name", "MY_URL")
    assert (result.stdout, "built" in result.stderr) == (f"{remote.url}\n", True)
    seen = (project / "seen").read_text().split()
    assert seen == [remote.url, remote.site_url, remote.url, remote.site_url, remote.url]
    edit(project, "notes.py", "return [note", "return ['never'] + [note")
    failed = run(*BARE, "--cmd", "exit 3", expect=1)
    assert "--cmd ended with status 3" in failed.stderr
    assert "still serves" in last(failed)
    assert remote.call("query", "notes:list") == []
    after = run(*BARE, "--cmd-after", "exit 4", expect=1)
    assert "the deploy is done, but" in after.stderr
    assert remote.call("query", "notes:list") == ["never"]


def test_a_function_runs_after_the_switch(remote: ServerProcess, run: Any, project: Path) -> None:
    document = run(*BARE, "--run", "notes:add text=seeded", "--json").json()
    assert document["run"] == {"function": "notes:add", "value": None}
    assert remote.call("query", "notes:list") == ["seeded"]
    failed = run(*BARE, "--run", "notes:add text=", expect=1)
    assert "the deploy is done, but notes:add failed" in failed.stderr
    assert "now serves" in last(failed)


def test_wrong_keys_and_dead_servers(
    remote: ServerProcess, run: Any, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = remote.admin_key.partition("|")[0]
    wrong = f"{name}|{'0' * 60}"
    monkeypatch.setenv("CONVEXPY_DEPLOY_KEY", wrong)
    result = run(*BARE, expect=5)
    assert wrong not in result.stderr
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    monkeypatch.setenv("CONVEXPY_URL", f"http://127.0.0.1:{port}")
    assert "connection refused" in run(*BARE, expect=6).stderr


def test_without_a_target_it_says_which_variables_to_set(
    run: Any, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / ".env.local").write_text(
        "CONVEXPY_DEPLOYMENT=local\nCONVEXPY_URL=http://dev\nCONVEXPY_DEPLOY_KEY=a|b\n"
    )
    error = run(*BARE, "--json", expect=3).error()
    assert error["code"] == "TargetIncomplete"
    assert "CONVEXPY_URL and CONVEXPY_DEPLOY_KEY" in error["hint"]
    monkeypatch.setenv("CONVEXPY_URL", "http://127.0.0.1:9")
    assert "CONVEXPY_DEPLOY_KEY" in run(*BARE, expect=3).stderr


def test_guards(remote: ServerProcess, run: Any, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VERCEL_ENV", "preview")
    assert run(*BARE, "--json", expect=9).error()["code"] == "BuildEnvironmentMismatch"
    run(*BARE, "--check-build-environment", "disable")
    monkeypatch.delenv("VERCEL_ENV")
    (project / "convexpy.toml").write_text('[project]\nname = "app"\n[deploy]\nrequire-clean-git = true\n')
    assert run(*BARE, "--json", expect=9).error()["code"] == "GitNotClean"
    notes = project / "convex" / "notes.py"
    notes.write_text(notes.read_text() + "\n# committed\n")
    for command in (
        ["init", "-q"],
        ["add", "."],
        ["-c", "user.name=x", "-c", "user.email=x@y", "commit", "-qm", "subject line"],
    ):
        subprocess.run(["git", *command], check=True)
    run(*BARE)
    newest = run("deployment", "history", "--json").json()[0]
    assert len(newest["commit"]) in (0, 40)
    assert (newest["commit"] != "", newest["dirty"]) == (True, False)
    (project / "convex" / "new.py").write_text("x = 1\n")
    assert run(*BARE, "--json", expect=9).error()["code"] == "GitNotClean"
    (project / "convexpy.toml").write_text('[project]\nname = "app"\n')
    run(*BARE)
    newest = run("deployment", "history", "--json").json()[0]
    assert newest["dirty"] is True
    assert f"{newest['commit'][:7]} with changes" in run("deployment", "history").stdout
    assert "with changes" in run("status").stdout


def test_the_summary_of_a_job(
    remote: ServerProcess, run: Any, project: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    (project / "convex" / "sum.py").write_text(
        "from convexpy import query\n@query\ndef up(ctx) -> int:\n    return 1\n"
    )
    run(*BARE)
    summary = (tmp_path / "summary.md").read_text()
    assert "| functions | added | `sum:up` | public query |" in summary
    assert "serves version" in summary


def test_a_long_index_can_be_built_behind_the_scenes(remote: ServerProcess, run: Any, project: Path) -> None:
    remote.call("mutation", "notes:add", text="a")
    edit(project, "schema.py", '["text"])', '["text"]).index("by_both", ["text", "text2"])')
    edit(project, "schema.py", "v.string()}", 'v.string(), "text2": v.optional(v.string())}')
    first = run(*BARE, "--no-wait-indexes")
    assert "notes.by_both will be built in the background" in first.stderr
    second = run(*BARE)
    assert "no longer staged" in second.stderr


def test_secrets_are_nowhere_to_be_seen(
    remote: ServerProcess, run: Any, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = remote.admin_key.partition("|")[2]
    (project / ".env.production").write_text("SEALED_VALUE='value that nobody sees'\n")
    everybody = "cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' ' > cmdlines; true"
    for options in (("--debug", "-v"), ("--json", "--debug")):
        done = run(*BARE, "--set-env-file", ".env.production", "--cmd", everybody, *options)
        shown = done.stdout + done.stderr + (project / "cmdlines").read_text()
        assert secret not in shown
        assert "nobody sees" not in shown
    monkeypatch.setenv("CONVEXPY_DEPLOY_KEY", f"{remote.admin_key}0")
    failed = run(*BARE, "--debug", expect=5)
    assert secret not in failed.stderr
    monkeypatch.setenv("CONVEXPY_DEPLOY_KEY", remote.admin_key)
    named = run(*BARE, "--set-env", "BAD-NAME=value that nobody sees", "--json", expect=2)
    assert "nobody sees" not in named.stderr
    run("env", "remove", "SEALED_VALUE", "--yes")


def test_keys_that_may_not_deploy(
    remote: ServerProcess, run: Any, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = {"name": "reader", "kind": "read-only"}
    made = remote.request("POST", "/api/convexpy/keys", body, admin=True)[1]
    monkeypatch.setenv("CONVEXPY_DEPLOY_KEY", made["key"])
    assert run(*BARE, "--json", expect=5).error()["code"] == "KeyKindForbidden"
    assert run("deployment", "history", "--json").json()
    assert run("status", "--json").json()["reachable"]


def test_a_project_without_functions_removes_nothing(remote: ServerProcess, run: Any, project: Path) -> None:
    (project / "convex").rename(project / "functions")
    assert run(*BARE, "--json", expect=3).error()["code"] == "ProjectNotFound"
    assert remote.call("query", "notes:list") == []


# At a terminal


def test_at_a_terminal_each_harm_is_asked_for(remote: ServerProcess, project: Path) -> None:
    remote.call("query", "notes:list")
    edit(project, "notes.py", '@query(name="list")', '@query(name="all")')
    declined = Terminal(project, *BARE, "--yes")
    declined.wait_for("function notes:list will be removed: public")
    declined.type("n")
    declined.wait_for("Cancelled.\r\nnothing was changed")
    assert "error" not in declined.seen
    assert declined.close() == (9, "")
    assert remote.call("query", "notes:list") == []
    agreed = Terminal(project, *BARE)
    agreed.wait_for("needs --allow=function-removal:notes:list")
    agreed.wait_for("Continue?")
    agreed.type("y")
    agreed.wait_for("Deploy these")
    agreed.type("y")
    agreed.wait_for("now serves version")
    assert agreed.close() == (0, f"{remote.url}\n")
    assert remote.call("query", "notes:all") == []


def test_ctrl_c_at_the_question_changes_nothing(remote: ServerProcess, project: Path) -> None:
    edit(project, "notes.py", "return [note", "return ['never'] + [note")
    terminal = Terminal(project, *BARE)
    terminal.wait_for("Deploy this change to")
    terminal.type("\x03")
    assert terminal.close() == (130, "")
    assert remote.call("query", "notes:list") == []


# Interruptions and races


def command(project: Path, *arguments: str) -> subprocess.Popen[str]:
    """Start a command in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "convexpy_cli", *arguments],
        cwd=project,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def copy_of(project: Path, name: str, text: str) -> Path:
    """Return another checkout of the project, in which the query returns `[text]`."""
    other = project.parent / name
    (other / "convex").mkdir(parents=True)
    (other / "convexpy.toml").write_text((project / "convexpy.toml").read_text())
    for file in (project / "convex").glob("*.py"):
        (other / "convex" / file.name).write_text(file.read_text())
    edit(other, "notes.py", "return [note", f"return ['{text}'] + [note")
    return other


def test_of_two_deploys_at_once_one_wins_and_the_other_says_so(remote: ServerProcess, project: Path) -> None:
    barrier = project.parent / "barrier"
    barrier.mkdir()
    # Each build waits until the plan of the other is made, too.
    wait = f"touch {barrier}/$NAME; while [ $(ls {barrier} | wc -l) -lt 2 ]; do sleep 0.02; done"
    deploys = [
        command(copy_of(project, name, name), *BARE, "--cmd", wait.replace("$NAME", name), "--actor", name)
        for name in ("left", "right")
    ]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        outputs = [pool.submit(deploy.communicate, timeout=200) for deploy in deploys]
        texts = [output.result() for output in outputs]
    statuses = [deploy.returncode for deploy in deploys]
    assert sorted(statuses) == [0, 10], texts
    winner, loser = ("left", "right") if statuses[0] == 0 else ("right", "left")
    assert remote.call("query", "notes:list") == [winner]
    error = texts[("left", "right").index(loser)][1]
    assert f"superseded: {winner} has pushed version" in error
    assert "still serves version" in error.splitlines()[-1]


@pytest.mark.parametrize("moment", ["planning", "building", "pushing"])
def test_a_killed_deploy_leaves_the_old_or_the_new_version(
    remote: ServerProcess, project: Path, moment: str
) -> None:
    other = copy_of(project, moment, moment)
    slow = "import threading\nthreading.Event().wait(1)\n"
    if moment != "building":
        (other / "convex" / "slow.py").write_text(slow)
    started = project.parent / f"{moment}.started"
    build = f"touch {started}; " + ("exec sleep 30" if moment == "building" else "true")
    deploy = command(other, *BARE, "--cmd", build, "--json")
    if moment != "planning":
        wait_for(started.exists, what="the build")
    else:
        assert deploy.stderr is not None
        assert deploy.stderr.readline()  # the target is named; the plan is under way
    os.kill(deploy.pid, signal.SIGKILL)
    deploy.communicate()
    assert remote.call("query", "notes:list") in ([], [moment])
    if moment != "pushing":
        assert remote.call("query", "notes:list") == []
    # Whatever it was: the next deploy works.
    last = copy_of(project, "last", "last")
    assert json.loads(command(last, *BARE, "--json").communicate(timeout=200)[0])["applied"]
    assert remote.call("query", "notes:list") == ["last"]


def test_a_server_that_is_killed_in_the_push_comes_back_and_the_deploy_is_whole(
    start_server: Callable[..., ServerProcess], project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command goes on trying until the server is there again."""
    server = start_server("--redact-errors")
    server.push_ok({path.name: path.read_text() for path in (project / "convex").glob("*.py")})
    for number, moment in enumerate(("push.checked", "push.before_activate", "push.activated")):
        server.stop()
        server.start(env={"CONVEXPY_PAUSE": f"{moment}=kill"})
        target(server, monkeypatch)
        deploy = command(copy_of(project, f"v{number}", f"v{number}"), *BARE, "--json")
        wait_for(lambda: server.process.poll() is not None, what=f"the end of the server at {moment}")
        server.close()
        server.start(env={})
        output, errors = deploy.communicate(timeout=200)
        assert deploy.returncode == 0, errors
        assert json.loads(output)["applied"]
        assert server.call("query", "notes:list") == [f"v{number}"]


def test_a_server_that_stays_away_leaves_the_state_unknown(
    start_server: Callable[..., ServerProcess], run: Any, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from convexpy_cli.deploy import switch

    monkeypatch.setattr(switch, "RETRY_S", 0.5)
    server = start_server(env={"CONVEXPY_PAUSE": "push.before_activate=kill"})
    target(server, monkeypatch)
    result = run(*BARE, expect=6)
    assert "is unknown; run `convexpy status`" in last(result)
