"""Exports and imports over HTTP, as tests drive them."""

from __future__ import annotations

import json
from typing import Any

from support.processes import ServerProcess, wait_for

ENDED = ("completed", "failed", "validated", "canceled")


def system(server: ServerProcess, path: str, **args: Any) -> Any:
    """Return what a system query answers, in the wire form."""
    body = {"path": path, "args": args, "format": "convex_encoded_json"}
    status, answer, _ = server.request("POST", "/api/query", body, admin=True)
    assert status == 200, answer
    assert answer["status"] == "success", answer
    return answer["value"]


def post(server: ServerProcess, path: str, body: Any = None, expect: int = 200) -> Any:
    """POST as the administrator."""
    status, answer, _ = server.request("POST", path, body, admin=True)
    assert status == expect, answer
    return answer


def upload(
    server: ServerProcess, data: bytes, *, part: int = 5 * 2**20, expect: int = 200, **wanted: Any
) -> Any:
    """Upload in parts and finish; return the id of the import, or the refusal."""
    token = post(server, "/api/import/start_upload")["uploadToken"]
    tokens: list[str] = []
    for number, start in enumerate(range(0, max(len(data), 1), part), 1):
        path = f"/api/import/upload_part?uploadToken={token}&partNumber={number}"
        kind = {"Content-Type": "application/octet-stream"}
        status, answer, _ = server.request(
            "POST", path, raw=data[start : start + part], headers=kind, admin=True
        )
        assert status == 200, answer
        tokens.append(answer)
    body = {"import": wanted, "uploadToken": token, "partTokens": tokens}
    answer = post(server, "/api/import/finish_upload", body, expect)
    return answer["importId"] if expect == 200 else answer


def state_of(server: ServerProcess, id: str) -> dict[str, Any]:
    """Return the state of an import."""
    state: dict[str, Any] = system(server, "_system/cli/queryImport", importId=id)["state"]
    return state


def until(server: ServerProcess, id: str, *states: str, within_s: float = 60.0) -> dict[str, Any]:
    """Wait for one of these states, or for the end."""

    def reached() -> dict[str, Any] | None:
        state = state_of(server, id)
        return state if state["state"] in (*states, *ENDED) else None

    found: dict[str, Any] = wait_for(reached, within_s=within_s, what=f"the import to be {states}")
    return found


def run_import(server: ServerProcess, data: bytes, **wanted: Any) -> dict[str, Any]:
    """Import, confirmed; return the last state."""
    id = upload(server, data, **wanted)
    state = until(server, id, "waiting_for_confirmation")
    if state["state"] != "waiting_for_confirmation":
        return state
    post(server, "/api/perform_import", {"importId": id})
    return until(server, id)


def export(server: ServerProcess, query: str = "includeStorage=true") -> bytes:
    """Make an export; return the zip."""
    id = post(server, f"/api/export/request/zip?{query}")["id"]

    def done() -> dict[str, Any] | None:
        found = system(server, "_system/exports:find", which=id)
        return found if found["state"] in ENDED else None

    found = wait_for(done, what="the export to end")
    assert found["state"] == "completed", found
    status, data, _ = server.request("GET", f"/api/export/zip/{id}", admin=True)
    assert status == 200
    assert isinstance(data, bytes)
    return data


def lines(*documents: dict[str, Any]) -> bytes:
    """Return documents as JSON lines."""
    return b"".join(json.dumps(document).encode() + b"\n" for document in documents)
