"""The agent's functions, in an in-memory deployment."""

import json
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
from convexpy import ConvexError, MutationCtx
from convexpy.testing import ConvexTest
from svix.webhooks import Webhook

TABLES = ("sessions", "messages", "artifacts", "checkpoints")
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.fixture(autouse=True)
def code_runs_here(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("E2B_API_KEY", "OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AGENT_SANDBOX", "host")


def enter(convex: ConvexTest, name: str) -> ConvexTest:
    someone = convex.with_identity(subject=name, name=name.title())
    someone.mutation("users:enter")
    return someone


def begin(someone: ConvexTest, name: str = "demo") -> tuple[str, str]:
    """Return a workspace of this caller's, and a session in it."""
    workspace: str = someone.mutation("workspaces:create", name="Team")
    session: str = someone.mutation("sessions:create", workspaceId=workspace, name=name)
    return workspace, session


def said(someone: ConvexTest, session: str) -> list[tuple[str, str]]:
    options = {"numItems": 100, "cursor": None}
    page = someone.query("messages:page", sessionId=session, paginationOpts=options)["page"]
    return [(message["role"], message["content"]) for message in reversed(page)]


def test_a_run_keeps_what_was_said_its_files_and_its_state(convex: ConvexTest) -> None:
    ada = enter(convex, "ada")
    _, session = begin(ada)
    code = "print('hello'); open('result.txt', 'w').write('42')"
    with ada.subscribe("sessions:get", sessionId=session) as live:
        assert live.next()["status"] == "pending"
        ended = ada.action("agent:run", sessionId=session, prompt=code)
        assert (ended["status"], ended["output"], ended["checkpoint"]) == ("completed", "hello\n", 1)
        while live.next()["status"] != "completed":
            pass
    assert said(ada, session) == [("user", code), ("assistant", "hello\n")]
    [artifact] = ada.query("artifacts:list", sessionId=session)
    assert (artifact["filename"], artifact["size"], artifact["contentType"]) == ("result.txt", 2, "text/plain")
    assert ada.action("agent:run", sessionId=session, prompt="pass")["checkpoint"] == 2


def test_code_that_fails_is_a_failed_session(convex: ConvexTest) -> None:
    ada = enter(convex, "ada")
    _, session = begin(ada)
    assert ada.action("agent:run", sessionId=session, prompt="raise ValueError('no')")["status"] == "failed"
    assert ada.query("sessions:get", sessionId=session)["error"] == "exit status 1"
    assert "ValueError: no" in said(ada, session)[1][1]


def test_without_a_model_the_stand_in_says_so(convex: ConvexTest) -> None:
    ada = enter(convex, "ada")
    _, session = begin(ada)
    ended = ada.action("agent:run", sessionId=session, prompt="What is 6 times 7?")
    assert ended["status"] == "completed"
    assert "OPENAI_API_KEY" in said(ada, session)[1][1]
    assert ada.query("steps:list", sessionId=session) == []


class Endpoint(BaseHTTPRequestHandler):
    """A model that always computes first: chat completions, streamed in pieces."""

    asked: ClassVar[list[dict[str, Any]]] = []
    CODE = "print(6 * 7); open('answer.txt', 'w').write('42')"

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.asked.append(asked)
        deltas: list[dict[str, Any]] = [{"content": "It is "}, {"content": "42."}]
        if asked["messages"][-1]["role"] != "tool":
            arguments = json.dumps({"code": self.CODE})
            begun = {"index": 0, "id": "call_1", "function": {"name": "run_python", "arguments": arguments[:9]}}
            deltas = [
                {"content": "Let me compute."},
                {"tool_calls": [begun]},
                {"tool_calls": [{"index": 0, "function": {"arguments": arguments[9:]}}]},
            ]
        self.send_response(200)
        self.end_headers()
        for delta in deltas:
            self.wfile.write(f"data: {json.dumps({'choices': [{'delta': delta}]})}\n\n".encode())
        self.wfile.write(b"data: [DONE]\n\n")

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


def test_a_model_uses_the_sandbox_and_answers(convex: ConvexTest, monkeypatch: pytest.MonkeyPatch) -> None:
    Endpoint.asked.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), Endpoint) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("OPENAI_BASE_URL", f"http://127.0.0.1:{server.server_port}/v1/")
        monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
        ada = enter(convex, "ada")
        _, session = begin(ada)
        ended = ada.action("agent:run", sessionId=session, prompt="What is 6 times 7?")
        server.shutdown()
    assert (ended["status"], ended["output"]) == ("completed", "It is 42.")
    assert said(ada, session) == [
        ("user", "What is 6 times 7?"), ("assistant", "Let me compute."), ("assistant", "It is 42."),
    ]  # fmt: skip
    [step] = ada.query("steps:list", sessionId=session)
    assert (step["state"], step["detail"], step["output"]) == ("done", Endpoint.CODE, "42\n")
    assert [each["filename"] for each in ada.query("artifacts:list", sessionId=session)] == ["answer.txt"]
    told = Endpoint.asked[1]["messages"]
    assert [each["role"] for each in told] == ["system", "user", "assistant", "tool"]
    assert json.loads(told[3]["content"]) == {"output": "42\n", "error": None, "files": ["answer.txt"]}


def test_a_model_that_cannot_be_reached_fails_the_session(
    convex: ConvexTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9")
    ada = enter(convex, "ada")
    _, session = begin(ada)
    with pytest.raises(Exception, match="connection"):
        ada.action("agent:run", sessionId=session, prompt="hello there")
    assert ada.query("sessions:get", sessionId=session)["status"] == "failed"


def test_the_sandbox_ends_what_takes_too_much_memory(convex: ConvexTest) -> None:
    ada = enter(convex, "ada")
    _, session = begin(ada)
    ended = ada.action("agent:run", sessionId=session, prompt="x = 'x' * (1 << 32)")
    assert (ended["status"], "MemoryError" in ended["output"]) == ("failed", True)


@pytest.mark.parametrize(
    ("variable", "value"),
    [("AGENT_SANDBOX", ""), ("AGENT_SANDBOX", "true"), ("CONVEXPY_DEVELOPMENT", ""), ("CONVEXPY_DEVELOPMENT", "0")],
)
def test_without_a_sandbox_no_code_runs(
    convex: ConvexTest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    ada = enter(convex, "ada")
    _, session = begin(ada)
    witness = tmp_path / "ran"
    with pytest.raises(Exception, match="E2B_API_KEY"):
        ada.action("agent:run", sessionId=session, prompt=f"open({str(witness)!r}, 'w')")
    assert not witness.exists()
    found = ada.query("sessions:get", sessionId=session)
    assert (found["status"], "E2B_API_KEY" in found["error"]) == ("failed", True)


def test_workspaces_are_kept_apart(convex: ConvexTest) -> None:
    ada, eve = enter(convex, "ada"), enter(convex, "eve")
    workspace, session = begin(ada)
    assert eve.query("workspaces:list") == []
    assert eve.query("sessions:list", workspaceId=workspace) == []
    assert eve.query("sessions:get", sessionId=session) is None
    assert said(eve, session) == []
    with pytest.raises(ConvexError, match="NotFound"):
        eve.mutation("sessions:create", workspaceId=workspace, name="x")
    with pytest.raises(ConvexError, match="NotFound"):
        eve.action("agent:run", sessionId=session, prompt="print(1)")
    with pytest.raises(ConvexError, match="NotFound"):
        eve.mutation("artifacts:upload_url", sessionId=session)
    assert ada.query("sessions:get", sessionId=session)["status"] == "pending"


def test_roles(convex: ConvexTest) -> None:
    ada, bob = enter(convex, "ada"), enter(convex, "bob")
    workspace, session = begin(ada)
    bobs_id = bob.query("users:me")["_id"]
    ada.mutation("workspaces:set_role", workspaceId=workspace, userId=bobs_id, role="member")
    assert bob.query("sessions:get", sessionId=session)["name"] == "demo"
    assert bob.query("workspaces:list")[0]["role"] == "member"
    with pytest.raises(ConvexError, match="Forbidden"):
        bob.mutation("workspaces:set_role", workspaceId=workspace, userId=bobs_id, role="admin")
    ada.mutation("workspaces:set_role", workspaceId=workspace, userId=bobs_id, role="admin")
    with pytest.raises(ConvexError, match="Forbidden"):
        bob.mutation("workspaces:set_role", workspaceId=workspace, userId=bobs_id, role="owner")
    ada.mutation("workspaces:set_role", workspaceId=workspace, userId=bobs_id, role=None)
    assert bob.query("sessions:get", sessionId=session) is None


def test_nobody_is_somebody_only_for_a_demo(convex: ConvexTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DEMO_USER", raising=False)
    with pytest.raises(ConvexError, match="SignedOut"):
        convex.mutation("users:enter")
    monkeypatch.setenv("DEMO_USER", "Ada")
    convex.mutation("users:enter")
    assert convex.query("users:me")["name"] == "Ada"


def test_a_run_that_never_ends_is_given_up(convex: ConvexTest) -> None:
    ada = enter(convex, "ada")
    _, session = begin(ada)
    convex.mutation("sessions:begin", sessionId=session, prompt="elsewhere")
    convex.advance(timedelta(minutes=10))
    assert ada.query("sessions:get", sessionId=session)["status"] == "running"
    convex.advance(timedelta(minutes=10))
    assert ada.query("sessions:get", sessionId=session)["error"] == "gave up waiting"


def test_old_sessions_are_deleted_with_all_that_is_theirs(convex: ConvexTest) -> None:
    ada = enter(convex, "ada")
    _, session = begin(ada)
    ada.action("agent:run", sessionId=session, prompt="open('a.txt', 'w').write('a')")
    convex.run(lambda ctx: ctx.db.patch(session, {"lastActiveAt": 0}))
    assert convex.mutation("maintenance:delete_old_sessions") == 1


    def left(ctx: MutationCtx) -> list[str]:
        return [table for table in TABLES if ctx.db.query(table).first() is not None]

    assert convex.run(left) == []


def test_a_webhook_needs_its_token(convex: ConvexTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEBHOOK_SECRET", "s3cret")
    ada = enter(convex, "ada")
    _, session = begin(ada)
    convex.mutation("sessions:begin", sessionId=session, prompt="elsewhere")

    def post(token: str, **sent: Any) -> Any:
        headers = {"authorization": token}
        return convex.fetch("/webhook/sandbox", method="POST", json=sent, headers=headers)

    done = {"sessionId": session, "status": "completed", "result": "42"}
    for token in ("", "Bearer wrong", "s3cret", "Bearer s3cretx"):
        assert post(token, **done).status_code == 401
    assert post("Bearer s3cret", sessionId=session, status="odd").status_code == 400
    assert post("Bearer s3cret", **done).json() == {"applied": True}
    assert post("Bearer s3cret", **done).json() == {"applied": False}
    assert said(ada, session)[-1] == ("assistant", "42")


def test_events_of_clerk_need_their_signature(convex: ConvexTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLERK_WEBHOOK_SECRET", SECRET)
    event = {"type": "user.created", "data": {"id": "user_1", "first_name": "Grace", "last_name": "Hopper"}}
    body, now = json.dumps(event), datetime.now(UTC)
    signature = Webhook(SECRET).sign("msg_1", now, body)
    headers = {"svix-id": "msg_1", "svix-timestamp": str(int(now.timestamp())), "svix-signature": signature}

    def post(content: str, headers: dict[str, str]) -> int:
        return convex.fetch("/webhook/clerk", method="POST", content=content, headers=headers).status_code

    assert post(body.replace("Grace", "Eve"), headers) == 400
    assert post(body, {**headers, "svix-timestamp": "1"}) == 400
    assert post(body, {}) == 400
    assert convex.run(lambda ctx: ctx.db.query("users").collect()) == []
    assert post(body, headers) == 200
    assert convex.run(lambda ctx: [user["name"] for user in ctx.db.query("users")]) == ["Grace Hopper"]


def test_an_upload_from_a_page_becomes_a_file_of_the_session(
    convex: ConvexTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEMO_USER", "Ada")
    convex.mutation("users:enter")
    _, session = begin(convex)
    preflight = {"origin": "http://127.0.0.1:8000", "access-control-request-method": "POST"}
    assert convex.fetch("/upload", method="OPTIONS", headers=preflight).status_code == 204
    answer = convex.fetch(
        "/upload",
        method="POST",
        params={"sessionId": session, "filename": "notes.txt"},
        content="some notes",
        headers={"origin": "http://127.0.0.1:8000", "content-type": "text/plain"},
    )
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == "http://127.0.0.1:8000"
    [artifact] = convex.query("artifacts:list", sessionId=session)
    assert (artifact["filename"], artifact["size"], artifact["contentType"]) == ("notes.txt", 10, "text/plain")
    refused = convex.fetch("/upload", method="POST", params={"sessionId": "nonsense"}, content="x")
    assert refused.status_code == 404


def test_the_clock_keeps_notes_of_health(convex: ConvexTest) -> None:
    convex.advance(timedelta(minutes=6))
    assert convex.fetch("/health").json() == {"status": "ok"}
    assert convex.run(lambda ctx: ctx.db.query("health").count()) == 1
