"""`convexpy mcp`: the protocol line by line, what agents may see and change, and the configuration of clients."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.processes import ServerProcess
from support.production import ProductionServer

pytestmark = pytest.mark.slow
INVALID_PARAMS = -32602


class Client:
    """An agent's side of the protocol, with `convexpy mcp` in a process of its own."""

    def __init__(self, *flags: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "convexpy_cli", "mcp", *flags],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.last = 0
        started = self.ask(
            "initialize",
            protocolVersion="2025-03-26",
            capabilities={},
            clientInfo={"name": "t", "version": "1"},
        )
        assert started["result"]["serverInfo"]["name"] == "convexpy"
        self.send({"jsonrpc": "2.0", "method": "notifications/initialized"})

    def send(self, message: Any) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(message) + "\n")
        self.process.stdin.flush()

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a request; return the whole answer."""
        self.last += 1
        self.send({"jsonrpc": "2.0", "id": self.last, "method": method, "params": params})
        assert self.process.stdout is not None
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        assert answer["id"] == self.last
        return answer

    def tool(self, name: str, /, **arguments: Any) -> tuple[Any, bool]:
        """Call a tool; return its answer, and whether it failed."""
        result = self.ask("tools/call", name=name, arguments=arguments)["result"]
        text = result["content"][0]["text"]
        is_json = text.startswith(("{", "[", '"')) and not result["isError"]
        return (json.loads(text) if is_json else text), result["isError"]

    def ok(self, name: str, /, **arguments: Any) -> Any:
        value, failed = self.tool(name, **arguments)
        assert not failed, value
        return value

    def close(self) -> str:
        """End the input; the server ends by itself."""
        _, errors = self.process.communicate(timeout=200)
        assert self.process.returncode == 0, errors
        return errors


@pytest.fixture
def production(project: Path, server: ServerProcess, run: Any) -> ServerProcess:
    """A production deployment beside the local one, with the project's functions."""
    ended = subprocess.run(
        [sys.executable, "-m", "convexpy_cli", "deployment", "add", "prod", "--url", server.url, "--production",
         "--admin-key", "-"],
        input=server.admin_key, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    run("deploy", "-d", "prod", "--typecheck", "disable", "--codegen", "disable")
    return server


def selector(client: Client, name: str) -> str:
    found = {each["name"]: each["deploymentSelector"] for each in client.ok("status")["deployments"]}
    return found[name]


def test_an_agent_works_with_the_local_deployment(project: Path, run: Any) -> None:
    run("dev", "--once", "--typecheck", "disable")
    client = Client()
    tools = {each["name"] for each in client.ask("tools/list")["result"]["tools"]}
    assert {
        "status",
        "tables",
        "data",
        "functionSpec",
        "run",
        "runOneoffQuery",
        "logs",
        "envList",
        "envSet",
    } <= tools
    where = {"deploymentSelector": selector(client, "local")}
    assert client.ok("run", functionName="notes:add", args={"text": "by an agent"}, **where)["result"] is None
    assert [each["text"] for each in client.ok("data", tableName="notes", **where)["page"]] == ["by an agent"]
    assert client.ok("runOneoffQuery", query='db.query("notes").count()', **where)["result"] == 1
    assert client.ok("tables", **where)[0]["documents"] == 1
    client.ok("envSet", name="SECRET_WORD", value="hush", **where)
    assert client.ok("envList", **where) == ["SECRET_WORD"]
    assert client.ok("envGet", name="SECRET_WORD", **where) == "hush"
    text, failed = client.tool("run", functionName="notes:add", args={"text": ""}, **where)
    assert (failed, "ValueError: empty" in text) == (True, True)
    (project / "convex" / "more.py").write_text(
        "from convexpy import query\n\n@query\ndef two(ctx) -> int:\n    return 2\n"
    )
    assert "more:two" in client.ok("pushOnce", **where)["changes"]["functions"]["added"]
    assert client.ok("schemaDiff", **where) == []
    client.close()


def test_production_is_invisible_then_readable_then_writable(
    project: Path, production: ServerProcess
) -> None:
    client = Client()
    assert [each["name"] for each in client.ok("status")["deployments"]] == ["local"]
    client.close()
    client = Client("--allow-production-reads")
    where = {"deploymentSelector": selector(client, "prod")}
    assert client.ok("data", tableName="notes", **where)["page"] == []
    text, failed = client.tool("run", functionName="notes:add", args={"text": "x"}, **where)
    assert (failed, "--allow-production-writes" in text) == (True, True)
    text, failed = client.tool("runOneoffQuery", query="1 + 1", **where)
    assert (failed, "--allow-production-writes" in text) == (True, True)
    errors = client.close()
    assert production.admin_key not in errors
    client = Client("--dangerously-enable-production-deployments")
    where = {"deploymentSelector": selector(client, "prod")}
    client.ok("run", functionName="notes:add", args={"text": "x"}, **where)
    assert production.call("query", "notes:list") == ["x"]
    client.close()


def add_deployment(name: str, server: ServerProcess) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "convexpy_cli", "deployment", "add", name, "--url", server.url, "--admin-key", "-"],
        input=server.admin_key, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr


def test_the_server_says_whether_it_is_production_not_the_project(
    project: Path, server: ServerProcess, tmp_path: Path
) -> None:
    production = ProductionServer(tmp_path / "production")
    try:
        add_deployment("shared", server)
        add_deployment("live", production)
        client = Client()
        where = {"deploymentSelector": selector(client, "shared")}
        assert [each["name"] for each in client.ok("status")["deployments"]] == ["local", "shared"]
        assert client.ok("runOneoffQuery", query="1 + 1", **where)["result"] == 2
        # An agent that edits the project does not make production anything else.
        file = project / "convexpy.toml"
        file.write_text(file.read_text().replace(server.url, production.url))
        for tool, arguments in (("data", {"tableName": "notes"}), ("run", {"functionName": "notes:list"})):
            text, failed = client.tool(tool, **arguments, **where)
            assert (failed, "is a production deployment" in text) == (True, True), text
        client.close()
    finally:
        production.close()


def test_read_only_executes_nothing_and_queries_through_indexes(project: Path, run: Any) -> None:
    run("dev", "--once", "--typecheck", "disable")
    run("run", "notes:add", "text=a")
    run("run", "notes:add", "text=b")
    client = Client("--read-only")
    described = client.ask("tools/list")["result"]["tools"]
    assert not {each["name"] for each in described} & {
        "run", "runOneoffQuery", "schemaDiff", "pushOnce", "envSet", "envRemove",
    }  # fmt: skip
    assert all(each["annotations"]["readOnlyHint"] for each in described)
    where = {"deploymentSelector": selector(client, "local"), "tableName": "notes"}
    page = client.ok("data", **where, index="by_creation_time", order="asc", where='text != "a"')["page"]
    assert [each["text"] for each in page] == ["b"]
    since = {"field": "_creationTime", "value": page[0]["_creationTime"], "inclusive": False}
    assert client.ok("data", **where, index="by_creation_time", lower=since)["page"] == []
    upper = {**since, "inclusive": True}
    assert len(client.ok("data", **where, index="by_creation_time", upper=upper)["page"]) == 2
    answer = client.ask("tools/call", name="data", arguments={**where, "lower": {"value": 1}})
    assert answer["error"]["code"] == INVALID_PARAMS
    client.close()


def test_what_is_switched_off_is_not_there(project: Path, run: Any) -> None:
    client = Client("--read-only", "--disable-tools", "envGet,runOneoffQuery")
    tools = {each["name"] for each in client.ask("tools/list")["result"]["tools"]}
    assert not tools & {"run", "envSet", "envRemove", "pushOnce", "envGet", "runOneoffQuery"}
    assert client.ask("tools/call", name="run", arguments={})["error"]["code"] == INVALID_PARAMS
    client.close()
    assert run("mcp", "--disable-tools", "nothing", expect=2).stdout == ""


def test_wrong_arguments_are_an_error_of_the_protocol(project: Path) -> None:
    client = Client()
    for name, arguments in (("nosuch", {}), ("envGet", {}), ("docs", {"topic": 3}), ("docs", {"x": 3})):
        answer = client.ask("tools/call", name=name, arguments=arguments)
        assert answer["error"]["code"] == INVALID_PARAMS, (name, answer)
    client.close()


def test_clients_are_configured(project: Path, run: Any) -> None:
    assert run("mcp", "install", "--client", "cursor", "--json").json()["mcpServers"]["convexpy"]["args"] == [
        "mcp"
    ]
    assert not (project / ".cursor").exists()
    (project / ".mcp.json").write_text('{"mcpServers": {"other": {"command": "x"}}, "kept": 1}')
    run("mcp", "install", "--client", "claude", "--yes")
    written = json.loads((project / ".mcp.json").read_text())
    assert (set(written["mcpServers"]), written["kept"]) == ({"other", "convexpy"}, 1)
    (project / ".mcp.json").write_text("{")
    assert run("mcp", "install", "--yes", "--json", expect=3).error()["code"] == "ConfigInvalid"
    assert run("mcp", "install", "--client", "emacs", expect=2).stdout == ""
