"""A production server: keys as digests, redaction, TLS, probes, metrics, logs, origins, and how it stops."""

from __future__ import annotations

import contextlib
import http.client
import json
import signal
import socket
import ssl
import subprocess
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from support.certificates import write_certificate
from support.processes import ServerProcess, wait_for
from support.production import ProductionServer
from support.sockets import SyncSocket, add, ts_of
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

APP = """
import time
from convexpy import ConvexError, action, mutation, query

@query
def titles(ctx) -> list[str]:
    print("a private line")
    return [item["title"] for item in ctx.db.query("items").collect()]

@mutation
def add(ctx, title: str) -> None:
    ctx.db.insert("items", {"title": title})

@mutation
def slow(ctx, title: str) -> str:
    until = time.perf_counter() + 3
    while time.perf_counter() < until:
        pass
    ctx.db.insert("items", {"title": title})
    return title

@mutation
def boom(ctx) -> None:
    raise ValueError("the secret detail")

@mutation
def refuse(ctx) -> None:
    raise ConvexError({"reason": "full"})

@action
async def work(ctx) -> int:
    return 1
"""
HTTP = """
from convexpy import PlainTextResponse, http_router

http = http_router()

@http.route("/where", method="GET")
async def where(ctx, request):
    return PlainTextResponse(ctx.meta.client_address)
"""
Start = Callable[..., ProductionServer]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started: list[ProductionServer] = []

    def start(*arguments: str, name: str = "data", **options: Any) -> ProductionServer:
        started.append(ProductionServer(tmp_path / name, *arguments, **options))
        return started[-1]

    yield start
    for server in started:
        server.close()


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProductionServer]:
    folder = tmp_path_factory.mktemp("production")
    server = ProductionServer(
        folder / "data", "--access-log", "--function-log", "--log-format", "json", "--metrics-port", "0",
        "--log-sink", str(folder / "sink.jsonl"), "--single-port", "--allow-origin", "https://app.example",
        "--trusted-proxy", "127.0.0.1", interpreter=True,
    )  # fmt: skip
    try:
        server.push_ok({"fn.py": APP})
        yield server
    finally:
        server.close()


def failed_start(
    data: Path, *arguments: str, env: dict[str, str] | None = None
) -> tuple[int, dict[str, Any]]:
    """Return the exit status and the error of a server that must not start."""
    command = ServerProcess.command(data, "--production", "--port", "0", "--single-port", *arguments)
    done = subprocess.run(
        command, env=ServerProcess.environment(env), capture_output=True, text=True, timeout=200, check=False
    )
    assert done.stdout == "", done.stdout
    error: dict[str, Any] = json.loads(done.stderr.splitlines()[-1])["error"]
    return done.returncode, error


def fetched(url: str | urllib.request.Request) -> bytes:
    with urllib.request.urlopen(url, timeout=200) as response:
        content: bytes = response.read()
        return content


# Keys


def test_the_first_key_is_told_once_and_only_its_digest_is_stored(start: Start) -> None:
    server = start()
    key = server.admin_key
    assert (server.data / "admin-key").stat().st_mode & 0o777 == 0o600
    assert server.data.stat().st_mode & 0o777 == 0o700
    (server.data / "admin-key").unlink()
    assert server.stop() == 0
    secret = key.partition("|")[2]
    texts = [path.read_bytes() for path in server.data.rglob("*") if path.is_file()]
    assert not any(secret.encode() in text or bytes.fromhex(secret) in text for text in texts)
    assert secret not in server.errors()
    server.start()
    assert not (server.data / "admin-key").exists()
    status, answer, _ = server.request(
        "GET", "/api/check_admin_key", headers={"Authorization": f"Convex {key}"}
    )
    assert (status, answer["kind"]) == (200, "admin")


def test_a_start_that_ended_before_the_key_was_shown_makes_another(start: Start) -> None:
    server = start()
    lost = server.admin_key
    assert server.stop() == 0
    keys = json.loads((server.data / "keys.json").read_text())
    (server.data / "keys.json").write_text(json.dumps({**keys, "firstKeyDue": True}))
    server.start()
    assert server.admin_key != lost
    server.push_ok({"fn.py": APP})
    status, _, _ = server.request("GET", "/api/check_admin_key", headers={"Authorization": f"Convex {lost}"})
    assert status == 403


def test_the_instance_secret_makes_no_key(start: Start) -> None:
    from convexpy.access import AdminKeys

    server = start()
    keys = json.loads((server.data / "keys.json").read_text())
    assert keys["adminKey"] == ""
    forged = AdminKeys(keys["name"], keys["instanceSecret"]).create()
    id_of_first = server.admin_key.partition("|")[2][2:18]
    name, _, digits = forged.partition("|")
    signature = AdminKeys(keys["name"], keys["instanceSecret"])._signature(bytes.fromhex(id_of_first)).hex()
    for key in (forged, f"{name}|01{id_of_first}{signature}", f"{name}|02{digits[2:]}"):
        status, _, _ = server.request(
            "GET", "/api/check_admin_key", headers={"Authorization": f"Convex {key}"}
        )
        assert status == 403, key


# What clients see


def test_clients_get_a_request_id_and_nothing_else(app: ProductionServer) -> None:
    answer = app.failure("mutation", "fn:boom")
    assert answer["errorMessage"].endswith("Server Error")
    assert "secret detail" not in json.dumps(answer)
    assert app.failure("mutation", "fn:refuse")["errorData"] == {"reason": "full"}
    status, answer, _ = app.request("POST", "/api/query", {"path": "fn:titles", "args": {}})
    assert (status, answer["logLines"]) == (200, [])
    with SyncSocket(app.url) as client:
        client.modify(add(0, "fn:titles"))
        client.until_result(0, lambda result: True)
        assert "a private line" not in json.dumps(client.received)


def test_http_actions_are_under_the_main_port(app: ProductionServer) -> None:
    assert app.site_url == f"{app.url}/http"
    app.push_ok({"fn.py": APP, "http.py": HTTP})
    assert fetched(f"{app.site_url}/where") == b"127.0.0.1"
    forwarded = urllib.request.Request(
        f"{app.site_url}/where", headers={"X-Forwarded-For": "6.6.6.6, 203.0.113.9"}
    )
    assert fetched(forwarded) == b"203.0.113.9"


def test_pages_of_other_origins_get_no_answer(app: ProductionServer) -> None:
    body = {"path": "fn:titles", "args": {}}
    _, _, headers = app.request("POST", "/api/query", body, headers={"Origin": "https://app.example"})
    assert headers["access-control-allow-origin"] == "https://app.example"
    for method, sent in (("POST", body), ("OPTIONS", None)):
        _, _, headers = app.request(method, "/api/query", sent, headers={"Origin": "https://evil.example"})
        assert "access-control-allow-origin" not in headers
    with pytest.raises(InvalidStatus):
        connect(app.url.replace("http", "ws") + "/api/sync", origin="https://evil.example")  # type: ignore[arg-type]
    with connect(app.url.replace("http", "ws") + "/api/sync", origin="https://app.example"):  # type: ignore[arg-type]
        pass


# Probes and metrics


def samples(text: str) -> dict[tuple[str, str], float]:
    """Return the metrics by name and first label value."""
    return {
        (sample.name, next(iter(sample.labels.values()), "")): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if "le" not in sample.labels
    }


def test_probes(app: ProductionServer) -> None:
    for path in ("/health", "/healthz", "/readyz"):
        assert app.request("GET", path)[:2] == (200, b"ok")
    assert app.request("GET", "/version")[0] == 200


def test_metrics_move_with_what_happens(app: ProductionServer) -> None:
    def scrape() -> dict[tuple[str, str], float]:
        status, text, headers = app.request("GET", "/metrics", admin=True)
        assert status == 200
        assert headers["content-type"].startswith("text/plain; version=0.0.4")
        return samples(text.decode())

    before = scrape()
    for number in range(3):
        app.call("mutation", "fn:add", title=str(number))
    app.call("query", "fn:titles")
    app.call("action", "fn:work")
    app.failure("mutation", "fn:boom")
    with SyncSocket(app.url) as client:
        client.modify(add(0, "fn:titles"))
        client.until_result(0, lambda result: True)
        after = scrape()

    def moved(name: str, label: str = "") -> float:
        return after[name, label] - before[name, label]

    assert moved("convexpy_function_calls_total", "mutation") == 4
    assert moved("convexpy_function_errors_total", "mutation") == 1
    assert moved("convexpy_function_calls_total", "query") >= 1
    assert moved("convexpy_function_calls_total", "action") == 1
    assert moved("convexpy_function_seconds_count", "mutation") == 4
    assert moved("convexpy_function_seconds_sum", "mutation") > 0
    assert moved("convexpy_commits_total") == 3
    assert moved("convexpy_open_sockets") == 1
    assert moved("convexpy_subscribed_queries") == 1
    assert after["convexpy_executors", "mutations"] == 1
    assert after["convexpy_executor_memory_bytes", "mutations"] > 1_000_000
    assert after["process_resident_memory_bytes", ""] > 1_000_000
    assert after["convexpy_executors_lost_total", "queries"] == 0
    wait_for(lambda: scrape()["convexpy_open_sockets", ""] == 0)


def test_metrics_are_not_for_everybody(app: ProductionServer) -> None:
    assert app.request("GET", "/metrics")[0] == 403
    _, made, _ = app.request(
        "POST", "/api/convexpy/keys", {"name": "run", "kind": "run", "functions": ["fn:*"]}, admin=True
    )
    status, _, _ = app.request("GET", "/metrics", headers={"Authorization": f"Convex {made['key']}"})
    assert status == 403


def test_a_port_of_its_own_needs_no_key_and_has_nothing_else(app: ProductionServer) -> None:
    url = app.ready["metricsUrl"]
    assert ("convexpy_open_sockets", "") in samples(fetched(url).decode())
    with pytest.raises(urllib.error.HTTPError, match="404") as refused:
        urllib.request.urlopen(url.removesuffix("/metrics") + "/api/check_admin_key")
    refused.value.close()


def test_a_killed_executor_is_counted(start: Start) -> None:
    server = start("--single-port", "--metrics-port", "0")
    server.push_ok({"fn.py": APP + "\n@mutation\ndef die(ctx) -> None:\n    import os\n    os._exit(3)\n"})
    server.failure("mutation", "fn:die")
    seen = samples(fetched(server.ready["metricsUrl"]).decode())
    assert seen["convexpy_executors_lost_total", "mutations"] == 1
    wait_for(lambda: server.request("GET", "/readyz")[0] == 200)


# Logs


def records(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_every_line_of_the_log_is_a_record_and_the_sink_has_them_too(app: ProductionServer) -> None:
    app.call("mutation", "fn:add", title="logged")
    app.failure("mutation", "fn:boom")
    app.request("GET", "/instance_name?adminKey=hunter2hunter2")

    def of_type(kind: str) -> list[dict[str, Any]]:
        return [record for record in records(app.errors()) if record["type"] == kind]

    wait_for(lambda: any(record["path"] == "/instance_name" for record in of_type("access")))
    access = next(record for record in of_type("access") if record["path"] == "/instance_name")
    assert (access["method"], access["status"], access["client"]) == ("GET", 200, "127.0.0.1")
    assert access["bytes"] == len(app.ready["name"])
    assert access["ms"] >= 0
    call = next(record for record in of_type("access") if record["path"] == "/api/mutation")
    assert (call["method"], call["status"], call["client"]) == ("POST", 200, "127.0.0.1")
    assert call["bytes"] > 0
    assert "hunter2" not in app.errors()
    wait_for(lambda: any(record["function"] == "fn:boom" for record in of_type("function")))
    boom = next(record for record in of_type("function") if record["function"] == "fn:boom")
    assert (boom["status"], boom["level"], boom["kind"]) == ("error", "ERROR", "mutation")
    assert "the secret detail" in boom["error"]
    app.call("query", "fn:titles")
    wait_for(lambda: any(record["function"] == "fn:titles" for record in of_type("function")))
    titles = next(record for record in of_type("function") if record["function"] == "fn:titles")
    assert "a private line" in titles["lines"][0]["text"]
    sink = app.data.with_name("sink.jsonl")
    wait_for(lambda: records(sink.read_text())[: len(records(app.errors()))] == records(app.errors()))


def test_a_log_for_people_is_lines_of_text(start: Start) -> None:
    server = start("--single-port", "--access-log", "--function-log", "--log-format", "human")
    server.push_ok({"fn.py": APP})
    server.failure("mutation", "fn:boom")
    wait_for(lambda: "ERROR mutation fn:boom error" in server.errors())
    wait_for(lambda: "POST /api/mutation 200" in server.errors())
    assert "ValueError: the secret detail" in server.errors()


def test_a_development_server_logs_no_requests(start_server: Callable[..., ServerProcess]) -> None:
    server = start_server()
    server.push_ok({"fn.py": APP})
    server.call("query", "fn:titles")
    assert server.stop() == 0
    assert "/api/query" not in server.errors()
    assert "fn:titles" not in server.errors()


# TLS


def test_tls_from_files(start: Start, tmp_path: Path) -> None:
    cert, key = write_certificate(tmp_path)
    server = start("--single-port", "--tls-cert", str(cert), "--tls-key", str(key))
    assert server.url.startswith("https://")
    trusting = ssl.create_default_context(cafile=str(cert))
    connection = http.client.HTTPSConnection("127.0.0.1", server.port, context=trusting, timeout=200)
    connection.request("GET", "/instance_name")
    assert connection.getresponse().read().decode() == server.ready["name"]
    connection.close()
    with SyncSocket(server.url, ssl=trusting) as client:
        client.modify(add(0, "fn:none"))
        client.until(lambda message: message["type"] == "Transition")
    with socket.create_connection(("127.0.0.1", server.port), timeout=200) as plain:
        plain.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert not plain.recv(100).startswith(b"HTTP")


def test_certificates_that_cannot_be_used_end_the_start(tmp_path: Path) -> None:
    cert, key = write_certificate(tmp_path)
    _, other = write_certificate(tmp_path, name="other")
    _, locked = write_certificate(tmp_path, name="locked", password=b"password")
    (tmp_path / "empty.pem").write_text("")
    cases = {
        "go together": (cert, None),
        "cannot read": (cert, tmp_path / "none.key"),
        "is not that of the certificate": (cert, other),
        "is encrypted": (cert, locked),
        "not a certificate and key in PEM form": (tmp_path / "empty.pem", key),
    }
    for text, (one, two) in cases.items():
        flags = ["--tls-cert", str(one), *(["--tls-key", str(two)] if two else [])]
        status, error = failed_start(tmp_path / "data", *flags)
        assert (status, error["code"]) == (3, "TlsInvalid")
        assert text in error["message"]
    assert not (tmp_path / "data").exists()


def test_a_certificate_that_has_expired_is_warned_of(start: Start, tmp_path: Path) -> None:
    cert, key = write_certificate(tmp_path, days=-1)
    server = start("--single-port", "--tls-cert", str(cert), "--tls-key", str(key))
    assert "has expired" in wait_for(server.errors)


# Refusals


def test_what_is_in_use_or_newer_or_unsafe_ends_the_start(start: Start, tmp_path: Path) -> None:
    server = start()
    assert failed_start(server.data)[0] == 10
    status, error = failed_start(tmp_path / "other", "--port", str(server.port))
    assert (status, error["code"]) == (10, "PortInUse")
    assert error["hint"].startswith("--port ")
    assert not (tmp_path / "other").exists()
    server.stop()
    import sqlite3

    with sqlite3.connect(server.data / "log.db") as database:
        database.execute("UPDATE meta SET value = '99' WHERE name = 'format'")
    database.close()
    status, error = failed_start(server.data)
    assert (status, error["code"]) == (11, "NewerFormat")
    status, error = failed_start(
        tmp_path / "other", "--host", "0.0.0.0", env={"CONVEXPY_EXTRA_ADMIN_KEYS": "known"}
    )
    assert (status, error["code"]) == (9, "ConsentRequired")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[limits]\nfunction-cpu-z = 3", "did you mean 'limits.function-cpu-s'"),
        ("[limit]\nfunction-cpu-s = 3", "did you mean 'limits'"),
        ("[limits]\nquery-executors = 1.5", "whole number"),
        ("[limits]\nfunction-cpu-s = -1", "greater than 0"),
        ("[limits]\nfunction-cpu-s = true", "a number"),
        ("[limits.transaction]\nbytes = 1", "limits.transaction.bytes"),
        ("[limits", "not valid TOML"),
    ],
)
def test_mistakes_in_limits_are_told(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "c.toml").write_text(text)
    status, error = failed_start(tmp_path / "data", "--config", str(tmp_path / "c.toml"))
    assert (status, error["code"]) == (3, "ConfigInvalid")
    assert said in f"{error['message']} {error['hint']}"


def test_limits_of_the_file_hold(start: Start, tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text(
        "[limits.transaction]\ndocuments_written = 5\n[limits]\nquery-executors = 3\n"
    )
    server = start("--single-port", "--config", str(tmp_path / "c.toml"))
    many = "\n@mutation\ndef many(ctx) -> None:\n    for n in range(10):\n        ctx.db.insert('items', {'n': n})\n"
    server.push_ok({"fn.py": APP + many})
    server.call("mutation", "fn:add", title="one is fine")
    server.failure("mutation", "fn:many")
    assert server.call("query", "fn:titles") == ["one is fine"]
    seen = samples(server.request("GET", "/metrics", admin=True)[1].decode())
    assert seen["convexpy_executors", "queries"] == 3


# Stop


def test_a_running_mutation_is_finished_and_answered(start: Start) -> None:
    server = start("--single-port", "--function-cpu-s", "20", interpreter=True)
    server.push_ok({"fn.py": APP})
    answers: list[Any] = []
    caller = threading.Thread(
        target=lambda: answers.append(
            server.request("POST", "/api/mutation", {"path": "fn:slow", "args": {"title": "x"}})
        )
    )
    with SyncSocket(server.url) as client:
        client.modify(add(0, "fn:titles"))
        client.until_result(0, lambda result: True)
        caller.start()
        wait_for(lambda: cpu_busy(server), what="the mutation to run")
        server.process.send_signal(signal.SIGTERM)
        assert client.until_closed() == (1001, "GoingAway")
    wait_for(lambda: not accepts(server), what="new connections to be refused")
    assert not answers
    caller.join(60)
    assert answers
    assert answers[0][:2] == (200, {"status": "success", "value": "x", "logLines": []})
    assert server.process.wait(60) == 0
    server._reap()
    server.start()
    assert server.call("query", "fn:titles") == ["x"]


def test_every_call_under_way_is_answered_at_the_stop(start: Start, tmp_path: Path) -> None:
    """A mutation that ends in time is answered before its socket closes, and so is its Transition; the rest gets a 503."""
    (tmp_path / "limits.toml").write_text("[limits]\nstop-grace-s = 4.0")
    server = start(
        "--single-port", "--function-cpu-s", "20", "--config", str(tmp_path / "limits.toml"), interpreter=True
    )
    long = """
import asyncio
from convexpy import PlainTextResponse, action, http_router

@action
async def long(ctx) -> None:
    print("began")
    await asyncio.sleep(300)
"""
    http_long = """
import asyncio
from convexpy import PlainTextResponse, http_router

http = http_router()

@http.route("/long", method="GET")
async def long(ctx, request):
    print("began")
    await asyncio.sleep(300)
"""
    server.push_ok({"fn.py": APP, "long.py": long, "http.py": http_long})
    answers: dict[str, Any] = {}

    def ask(method: str, path: str, body: Any = None) -> None:
        answers[path] = server.request(method, path, body)

    callers = [
        threading.Thread(target=ask, args=("POST", "/api/action", {"path": "long:long", "args": {}})),
        threading.Thread(target=ask, args=("GET", "/http/long")),
    ]
    for caller in callers:
        caller.start()
    with SyncSocket(server.url) as client, SyncSocket(server.url) as acting:
        client.modify(add(0, "fn:titles"))
        client.until_result(0, lambda result: True)
        acting.action(0, "long:long")
        wait_for(lambda: began(server) == 3, what="the actions to run")
        client.mutation(0, "fn:slow", title="y")
        wait_for(lambda: cpu_busy(server), what="the mutation to run")
        server.process.send_signal(signal.SIGTERM)
        response = client.response(0)
        assert (response["success"], response["result"]) == (True, "y")
        assert client.until_result(0, bool) == ["y"]
        assert ts_of(client.version["ts"]) >= ts_of(response["ts"])
        assert client.until_closed() == (1001, "GoingAway")
        assert acting.until_closed() == (1001, "GoingAway")
    for caller in callers:
        caller.join(60)
    assert {path: (status, answer["code"]) for path, (status, answer, _) in answers.items()} == {
        "/api/action": (503, "ShuttingDown"), "/http/long": (503, "ShuttingDown"),
    }  # fmt: skip
    assert server.process.wait(60) == 0
    assert "Traceback" not in server.errors()
    server._reap()


def began(server: ServerProcess) -> int:
    entries = server.request("GET", "/api/convexpy/logs", admin=True)[1]["entries"]
    return sum("began" in str(entry["logLines"]) for entry in entries)


def cpu_busy(server: ServerProcess) -> bool:
    """Say whether a process below the server's has used CPU for half a second: only `slow` takes so long."""
    used: dict[int, tuple[int, float]] = {}
    for file in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = file.read_text().rpartition(")")[2].split()
            used[int(file.parent.name)] = (int(fields[1]), int(fields[11]) / 100)

    def below(pid: int) -> bool:
        parent = used.get(pid, (0, 0.0))[0]
        return parent == server.process.pid or (parent > 1 and below(parent))

    # The fork server imports what all executors need: executors, two generations below, start with nothing used.
    return any(cpu_s > 0.5 and below(used[parent][0]) for parent, cpu_s in used.values() if parent in used)


def test_a_second_signal_ends_it_at_once(start: Start) -> None:
    server = start("--single-port", "--function-cpu-s", "20", interpreter=True)
    server.push_ok({"fn.py": APP})
    caller = threading.Thread(target=lambda: call_into_the_end(server))
    caller.start()
    wait_for(lambda: cpu_busy(server))
    server.process.send_signal(signal.SIGTERM)
    wait_for(lambda: not accepts(server))
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(60) == 143
    caller.join(60)
    server._reap()


def accepts(server: ServerProcess) -> bool:
    try:
        socket.create_connection(("127.0.0.1", server.port), timeout=5).close()
    except OSError:
        return False
    return True


def call_into_the_end(server: ServerProcess) -> None:
    with contextlib.suppress(OSError, http.client.HTTPException):
        server.request("POST", "/api/mutation", {"path": "fn:slow", "args": {"title": "x"}})


def test_the_service_manager_is_told(start: Start, tmp_path: Path) -> None:
    address = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(address))
        listener.settimeout(60)
        server = start("--single-port", env={"NOTIFY_SOCKET": str(address)})
        assert listener.recv(4096).startswith(b"READY=1")
        server.stop()
        assert listener.recv(4096).startswith(b"STOPPING=1")
