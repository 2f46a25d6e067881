"""Files over real HTTP: uploads, downloads, ranges, refusals, and what functions see of them."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from support.processes import ROOT, ServerProcess, wait_for
from support.s3 import s3_server
from support.sockets import SyncSocket, add
from support.storage_app import STORAGE_APP

from convexpy.protocol.derived_keys import upload_key
from convexpy.protocol.upload_tokens import upload_token

StartServer = Callable[..., ServerProcess]
ORIGIN = "http://localhost:5173"
HELLO_SHA256 = "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ="
MIB = 1024 * 1024


class Files:
    """A server with the app of files, and the steps of a client."""

    def __init__(self, server: ServerProcess) -> None:
        self.server = server
        self.call = server.call

    def path(self, url: str) -> str:
        assert url.startswith(self.server.url)
        return url.removeprefix(self.server.url)

    def upload(self, data: bytes, content_type: str | None = "text/plain", **headers: str) -> str:
        status, answer, _ = self.send(
            self.path(self.call("mutation", "files:upload_url")), data, content_type, **headers
        )
        assert status == 200, answer
        id: str = answer["storageId"]
        return id

    def send(
        self,
        path: str,
        data: Any,
        content_type: str | None = "text/plain",
        method: str = "POST",
        **headers: str,
    ) -> tuple[int, Any, dict[str, str]]:
        """Send a body; one in pieces goes without a length."""
        sent = {name.replace("_", "-"): text for name, text in headers.items()}
        if content_type is not None:
            sent["Content-Type"] = content_type
        with contextlib.closing(
            http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=200)
        ) as connection:
            connection.request(
                method, path, body=data, headers=sent, encode_chunked=not isinstance(data, bytes)
            )
            response = connection.getresponse()
            body = response.read()
            return (
                response.status,
                json.loads(body) if body else None,
                {k.lower(): v for k, v in response.headers.items()},
            )

    def url(self, id: str) -> str:
        return self.path(self.call("query", "files:url", id=id))

    def get(self, path: str, method: str = "GET", **headers: str) -> tuple[int, bytes, dict[str, str]]:
        with contextlib.closing(
            http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=200)
        ) as connection:
            connection.request(
                method, path, headers={name.replace("_", "-"): text for name, text in headers.items()}
            )
            response = connection.getresponse()
            return response.status, response.read(), {k.lower(): v for k, v in response.headers.items()}

    def stored(self) -> list[str]:
        """Return the names of what is in the folder, incomplete files included."""
        folder = self.server.data / "storage"
        return [path.name for path in folder.iterdir() if path.name != "tmp"] + [
            path.name for path in (folder / "tmp").iterdir()
        ]

    def token(self, *, age_s: float = 0.0, name: str | None = None) -> str:
        keys = json.loads((self.server.data / "keys.json").read_text())
        key = upload_key(keys["instanceSecret"])
        return upload_token(key, name or keys["name"], int((time.time() - age_s) * 1000))


@pytest.fixture(scope="module")
def files(module_server: ServerProcess) -> Files:
    """One server for the tests that do not mind files of others."""
    module_server.push_ok(STORAGE_APP)
    return Files(module_server)


@pytest.fixture
def own(server: ServerProcess) -> Files:
    """A server without files."""
    server.push_ok(STORAGE_APP)
    return Files(server)


def test_a_browser_uploads_a_file_and_an_app_shows_it(files: Files) -> None:
    path = files.path(files.call("mutation", "files:upload_url"))
    status, _, headers = files.get(
        path, "OPTIONS", Origin=ORIGIN, Access_Control_Request_Method="POST",
        Access_Control_Request_Headers="content-type,digest",
    )  # fmt: skip
    assert status == 200
    assert headers["access-control-allow-origin"] == ORIGIN
    assert headers["access-control-allow-headers"] == "content-type,digest"
    assert "POST" in headers["access-control-allow-methods"]
    status, answer, headers = files.send(
        path, b"hello", "image/png", Origin=ORIGIN, Digest=f"sha-256={HELLO_SHA256}"
    )
    assert status == 200
    assert headers["access-control-allow-origin"] == ORIGIN
    id = answer["storageId"]
    assert list(answer) == ["storageId"]
    files.call("mutation", "files:save", file=id, title="a picture")

    url = files.url(id)
    assert id not in url
    status, body, headers = files.get(url, Origin=ORIGIN)
    assert (status, body) == (200, b"hello")
    assert headers["content-type"] == "image/png"
    assert headers["content-length"] == "5"
    assert headers["digest"] == f"sha-256={HELLO_SHA256}"
    assert headers["accept-ranges"] == "bytes"
    assert headers["cache-control"] == "private, max-age=2592000"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["access-control-allow-origin"] == ORIGIN
    assert headers["content-security-policy"] == "sandbox"
    assert "content-disposition" not in headers


def test_what_functions_see_of_a_file(files: Files) -> None:
    id = files.upload(b"hello")
    document = files.call("query", "files:document", id=id)
    assert document == {
        "_id": id, "_creationTime": document["_creationTime"],
        "sha256": HELLO_SHA256, "size": 5, "contentType": "text/plain",
    }  # fmt: skip
    assert document in files.call("query", "files:documents")
    expected = {
        "storageId": id,
        "sha256": hashlib.sha256(b"hello").hexdigest(),
        "size": 5,
        "contentType": "text/plain",
    }
    assert files.call("query", "files:metadata", id=id) == expected
    assert files.call("query", "files:checked", id=id) == [id, None]
    url, metadata, upload_url = files.call("action", "files:all_of", id=id)
    assert (files.path(url), metadata) == (files.url(id), expected)
    assert files.send(files.path(upload_url), b"x")[0] == 200
    assert files.call("action", "files:read", id=id) == [
        "hello",
        "text/plain",
        5,
        hashlib.sha256(b"hello").hexdigest(),
    ]


def test_without_a_content_type_there_is_none(files: Files) -> None:
    id = files.upload(b"hello", None)
    assert "contentType" not in files.call("query", "files:document", id=id)
    assert files.call("query", "files:metadata", id=id)["contentType"] is None
    _, _, headers = files.get(files.url(id))
    assert "content-type" not in headers
    assert headers["content-security-policy"] == "sandbox"


@pytest.mark.parametrize("size", [0, 1, 3 * MIB + 7])
def test_bodies_without_a_length(files: Files, size: int) -> None:
    data = os.urandom(size)

    def pieces() -> Iterator[bytes]:
        for at in range(0, size, 10_000):
            yield data[at : at + 10_000]

    path = files.path(files.call("mutation", "files:upload_url"))
    status, answer, _ = files.send(path, pieces(), "application/octet-stream")
    assert status == 200
    assert files.get(files.url(answer["storageId"]))[1] == data


def test_a_url_takes_several_files(files: Files) -> None:
    path = files.path(files.call("mutation", "files:upload_url"))
    ids = [files.send(path, f"file {n}".encode())[1]["storageId"] for n in range(3)]
    assert len(set(ids)) == 3
    assert [files.get(files.url(id))[1] for id in ids] == [b"file 0", b"file 1", b"file 2"]


def test_tokens_that_open_nothing(files: Files) -> None:
    before = len(files.stored())
    good = files.token()
    issued, _, signature = good.partition(".")
    later = f"{int(issued, 16) + 60_000:x}"
    flipped = signature[:10] + ("A" if signature[10] != "A" else "B") + signature[11:]
    wrong = ["", "x", good + "x", good[:-1], f"{issued}.{flipped}", f"{later}.{signature}", f"{issued}.", "." + signature,
             files.token(name="another"), good.upper(), "%00", "é"]  # fmt: skip
    for token in wrong:
        status, answer, headers = files.send(
            f"/api/storage/upload?token={quote(token, safe='')}", b"x", Origin=ORIGIN
        )
        assert (status, answer["code"]) == (401, "StorageTokenInvalid"), token
        assert headers["access-control-allow-origin"] == ORIGIN
    assert files.send("/api/storage/upload", b"x")[1]["code"] == "StorageTokenInvalid"
    for age_s in (3700, 86_400, -3700):
        status, answer, _ = files.send(f"/api/storage/upload?token={files.token(age_s=age_s)}", b"x")
        assert (status, answer["code"]) == (401, "StorageTokenExpired"), age_s
    assert files.send(f"/api/storage/upload?token={files.token(age_s=3500)}", b"x")[0] == 200
    assert files.send(f"/api/storage/upload?token={good}", b"x")[0] == 200
    assert len(files.stored()) == before + 2


def test_digests(files: Files) -> None:
    stored, documents = files.stored(), files.call("query", "files:documents")
    path = files.path(files.call("mutation", "files:upload_url"))
    hexed = hashlib.sha256(b"hello").hexdigest()
    for header, code in [
        (f"sha-256={base64.b64encode(bytes(32)).decode()}", "Sha256Mismatch"),
        (f"sha-256={hexed}", "BadHeader"), ("sha-256=", "BadHeader"), ("sha-256", "BadHeader"), ("", "BadHeader"),
        ("md5=XUFAKrxLKna5cZ2REBfFkg==", "BadHeader"), ("sha-256=AAAA", "BadHeader"), ("sha-256=%%%", "BadHeader"),
    ]:  # fmt: skip
        status, answer, _ = files.send(path, b"hello", Digest=header)
        assert (status, answer["code"]) == (400, code), header
    assert sorted(files.stored()) == sorted(stored)
    assert files.call("query", "files:documents") == documents
    for header in (f"SHA-256={HELLO_SHA256}", f"md5=XUFAKrxLKna5cZ2REBfFkg==, sha-256={HELLO_SHA256}"):
        assert files.send(path, b"hello", Digest=header)[0] == 200


def test_ranges(files: Files) -> None:
    data = bytes(range(256)) * 4
    path = files.url(files.upload(data))
    for asked, start, end in [
        ("bytes=0-0", 0, 1), ("bytes=10-19", 10, 20), ("bytes=1000-", 1000, 1024), ("bytes=-24", 1000, 1024),
        ("bytes=0-", 0, 1024), ("bytes=1023-5000", 1023, 1024), ("bytes=-5000", 0, 1024), ("Bytes = 3 - 4", 3, 5),
    ]:  # fmt: skip
        status, body, headers = files.get(path, Range=asked)
        assert (status, body) == (206, data[start:end]), asked
        assert headers["content-range"] == f"bytes {start}-{end - 1}/1024"
        assert headers["content-length"] == str(end - start)
        assert "digest" not in headers
        assert headers["content-type"] == "text/plain"
    for asked in ("bytes=0-1,5-6", "bytes=1024-", "bytes=5000-6000", "bytes=-0", "bytes=0-1, 3-4"):
        status, body, headers = files.get(path, Range=asked)
        assert (status, body, headers["content-range"]) == (416, b"", "bytes */1024"), asked
    for asked in (
        "bytes=5-2",
        "bytes=",
        "bytes=-",
        "bytes=a-b",
        "lines=1-2",
        "bytes=1",
        "x" * 3000,
        f"bytes=0-{'9' * 5000}",
    ):
        status, body, headers = files.get(path, Range=asked)
        assert (status, body) == (200, data), asked
        assert "digest" in headers
    empty = files.url(files.upload(b""))
    for asked in ("bytes=0-", "bytes=-5", "bytes=0-0"):
        assert files.get(empty, Range=asked)[:2] == (200, b"")


def test_conditional_requests(files: Files) -> None:
    path = files.url(files.upload(b"hello"))
    tag = files.get(path)[2]["etag"]
    for header in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        status, body, headers = files.get(path, If_None_Match=header)
        assert (status, body, headers["etag"]) == (304, b"", tag), header
        assert headers["cache-control"] == "private, max-age=2592000"
    for header in ('"other"', tag.strip('"'), ""):
        assert files.get(path, If_None_Match=header)[:2] == (200, b"hello"), header
    assert files.get(path, Range="bytes=1-2", If_Range=tag)[:2] == (206, b"el")
    for header in ('"other"', f"W/{tag}", "Wed, 21 Oct 2015 07:28:00 GMT"):
        assert files.get(path, Range="bytes=1-2", If_Range=header)[:2] == (200, b"hello"), header


def test_head(files: Files) -> None:
    path = files.url(files.upload(b"hello"))
    status, body, headers = files.get(path, "HEAD")
    assert (status, body, headers["content-length"], headers["digest"]) == (
        200,
        b"",
        "5",
        f"sha-256={HELLO_SHA256}",
    )
    status, body, headers = files.get(path, "HEAD", Range="bytes=1-3")
    assert (status, body, headers["content-length"]) == (206, b"", "3")


def test_paths_that_lead_nowhere(files: Files) -> None:
    id = files.upload(b"hello")
    (files.server.data / "storage" / "secret").write_bytes(b"secret")
    uuid = files.url(id).rpartition("/")[2]
    for name in (
        id, "secret", "tmp", "../keys.json", "..%2fkeys.json", "%2e%2e%2fkeys.json", f"{uuid}/..", f"x/{uuid}", f"{uuid}%00",
        f"{uuid}/", uuid.upper().replace("-", ""), "", "%ff", f"..%2f..%2fstorage%2f{uuid}", f"{uuid} ".replace(" ", "%20"),
    ):  # fmt: skip
        status, body, _ = files.get(f"/api/storage/{name}", Origin=ORIGIN)
        assert (status, json.loads(body)["code"]) == (400, "InvalidStoragePath"), name
    status, body, headers = files.get("/api/storage/00000000-0000-4000-8000-000000000000", Origin=ORIGIN)
    assert (status, headers["access-control-allow-origin"]) == (404, ORIGIN)
    for method, path in [("PUT", f"/api/storage/{uuid}"), ("DELETE", f"/api/storage/{uuid}"), ("GET", "/api/storage/upload"),
                         ("POST", f"/api/storage/{uuid}")]:  # fmt: skip
        assert files.get(path, method)[0] == 405, (method, path)


@pytest.mark.parametrize(
    "kind",
    ["text/html", "TEXT/HTML; charset=utf-8", " text/html", "image/svg+xml", "application/xhtml+xml", "text/xml;x", "text/html,x",
     "text/html foo", "image/svg+xml foo", "image/png, text/html", "multipart/x-mixed-replace; boundary=x", "application/pdf",
     "text/htmlx", "text/javascript", "", "image", "image/png; x"],
)  # fmt: skip
def test_what_a_browser_may_interpret_is_downloaded_and_sandboxed(files: Files, kind: str) -> None:
    _, _, headers = files.get(files.url(files.upload(b"<script>1</script>", kind)))
    assert headers["content-disposition"] == "attachment"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"] == "sandbox"


@pytest.mark.parametrize(
    "kind", ["image/png", "IMAGE/PNG", "text/plain; charset=utf-8", 'video/mp4; codecs="avc1"']
)
def test_what_a_browser_only_shows_is_shown(files: Files, kind: str) -> None:
    _, _, headers = files.get(files.url(files.upload(b"x", kind)))
    assert headers["content-type"] == kind
    assert "content-disposition" not in headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"] == "sandbox"


def test_content_types_that_can_not_be_sent_back(files: Files) -> None:
    for kind in ("text/plain\r\nSet-Cookie: a=b", "text/\x00plain", "x" * 2000, "tëxt/日本"):
        failure = files.server.failure("action", "files:store", text="x", content_type=kind)
        assert "BadHeader" in failure["errorMessage"], kind
    path = files.path(files.call("mutation", "files:upload_url"))
    assert files.send(path, b"x", "x" * 2000)[1]["code"] == "BadHeader"


def test_the_limit_of_a_file(start_server: StartServer) -> None:
    server = start_server("--file-mib", "1")
    server.push_ok(STORAGE_APP)
    files = Files(server)
    assert files.upload(bytes(MIB))
    path = files.path(files.call("mutation", "files:upload_url"))

    def pieces() -> Iterator[bytes]:
        for _ in range(17):
            yield bytes(MIB // 16)

    for body in (bytes(MIB + 1), pieces()):
        status, answer, headers = files.send(path, body, Origin=ORIGIN)
        assert (status, answer["code"], headers["connection"]) == (413, "FileTooLarge", "close")
    wait_for(lambda: len(files.stored()) == 1, what="one file left")
    assert len(files.call("query", "files:documents")) == 1


def test_a_refused_upload_may_be_sent_to_its_end(start_server: StartServer) -> None:
    """A connection that is closed while its client sends is reset, and the response with it."""
    server = start_server("--file-mib", "1")
    server.push_ok(STORAGE_APP)
    files = Files(server)
    path = files.path(files.call("mutation", "files:upload_url"))
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
        head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {4 * MIB}\r\n\r\n"
        connection.sendall(head.encode() + bytes(2 * MIB))
        assert connection.recv(12) == b"HTTP/1.1 413"
        for _ in range(8):
            connection.sendall(bytes(MIB // 4))
        while connection.recv(65536):
            pass


def test_a_client_that_goes_away_leaves_nothing(own: Files) -> None:
    path = own.path(own.call("mutation", "files:upload_url"))
    for head in (b"Content-Length: 10000000\r\n", b"Transfer-Encoding: chunked\r\n"):
        with socket.create_connection(("127.0.0.1", own.server.port)) as connection:
            connection.sendall(
                b"POST " + path.encode() + b" HTTP/1.1\r\nHost: localhost\r\n" + head + b"\r\n"
            )
            connection.sendall((b"80000\r\n" if b"chunked" in head else b"") + bytes(0x80000))
            wait_for(own.stored, what="an upload that has begun")
        wait_for(lambda: own.stored() == [], what="nothing left")
    assert own.call("query", "files:documents") == []


def test_a_server_that_stops_does_not_wait_for_uploads(own: Files) -> None:
    path = own.path(own.call("mutation", "files:upload_url"))
    with socket.create_connection(("127.0.0.1", own.server.port)) as connection:
        head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10000000\r\n\r\n"
        connection.sendall(head.encode() + bytes(0x80000))
        wait_for(own.stored, what="an upload that has begun")
        assert own.server.stop() == 0
    own.server.start()
    assert own.stored() == []
    assert own.call("query", "files:documents") == []


def test_deleting_is_part_of_the_transaction(files: Files) -> None:
    id = files.upload(b"hello")
    path = files.url(id)
    assert "never mind" in files.server.failure("mutation", "files:delete_and_fail", id=id)["errorMessage"]
    assert files.path(files.call("mutation", "files:delete_and_catch", id=id)) == path
    assert files.get(path)[:2] == (200, b"hello")
    assert files.call("mutation", "files:delete", id=id) == [None, None, None]
    assert files.get(path)[0] == 404
    assert files.get(path, "HEAD")[0] == 404
    assert files.call("query", "files:url", id=id) is None
    assert files.call("query", "files:metadata", id=id) is None
    assert id not in [document["_id"] for document in files.call("query", "files:documents")]
    assert files.call("action", "files:read", id=id) is None
    # The bytes stay for a while: somebody may be reading them.
    assert path.rpartition("/")[2] in files.stored()


def test_ids_that_name_no_file(files: Files) -> None:
    id = files.upload(b"hello")
    other = files.call("mutation", "files:save", file=id, title="x")
    files.call("mutation", "files:delete", id=id)
    failure = files.server.failure("mutation", "files:delete", id=id)
    assert f"StorageIdNotFound: storage id {id} not found" in failure["errorMessage"]
    assert files.call("action", "files:remove", id=id) == [
        "StorageIdNotFound", "StorageIdNotFound", f"storage id {id} not found",
    ]  # fmt: skip
    for function in ("files:url", "files:metadata"):
        for wrong, text in (
            ("nonsense", "Unable to decode ID: 'nonsense'"),
            (other, "expected ID for table `_storage`"),
        ):
            failure = files.server.failure("query", function, id=wrong)
            assert text in failure["errorMessage"]
    for wrong in ("nonsense", other):
        assert files.call("action", "files:remove", id=wrong)[:2] == ["ArgumentError", "InvalidId"]
        assert (
            "Invalid argument `storageId`"
            in files.server.failure("action", "files:read", id=wrong)["errorMessage"]
        )
        for kind, function, args in (("query", "files:checked", {"id": wrong}),
                                     ("mutation", "files:save", {"file": wrong, "title": "x"})):  # fmt: skip
            assert "ArgumentValidationError" in files.server.failure(kind, function, **args)["errorMessage"]


def test_urls_are_live(files: Files) -> None:
    id = files.upload(b"hello")
    with SyncSocket(files.server.url) as client:
        client.modify(add(0, "files:url", id=id), add(1, "files:documents"))
        client.transition()
        assert files.get(files.path(client.results[0]))[0] == 200
        other = files.upload(b"other")
        client.transition()
        assert [document["_id"] for document in client.results[1]][-2:] == [id, other]
        files.call("mutation", "files:delete", id=id)
        client.transition()
        assert client.results[0] is None


def test_everything_that_actions_can_store(files: Files, tmp_path: Path) -> None:
    before = len(files.stored())
    assert files.call("action", "files:store_kinds", folder=str(tmp_path)) == ["content"] * 7
    assert files.call("action", "files:store_kinds_blocking", folder=str(tmp_path)) == ["content"] * 5
    assert len(files.stored()) == before + 12


def test_actions_check_digests(files: Files) -> None:
    before = len(files.stored())
    for good in (HELLO_SHA256, hashlib.sha256(b"hello").hexdigest()):
        id = files.call("action", "files:store", text="hello", sha256=good)
        assert files.call("action", "files:read", id=id)[0] == "hello"
    for wrong, text in (
        (base64.b64encode(bytes(32)).decode(), "Sha256Mismatch"),
        ("x", "is not a SHA-256 digest"),
        ("", "is not a SHA-256 digest"),
    ):
        assert (
            text in files.server.failure("action", "files:store", text="hello", sha256=wrong)["errorMessage"]
        )
    assert "the source broke" in files.server.failure("action", "files:fails_midway")["errorMessage"]
    assert len(files.stored()) == before + 2


def test_http_actions_store_and_serve(files: Files) -> None:
    status, id, _ = files.server.request(
        "POST", "/http/put", raw=b"hello", headers={"Content-Type": "text/csv"}
    )
    assert status == 200
    status, body, headers = files.get(f"/http/get?id={id.decode()}")
    assert (status, body) == (200, b"hello")
    assert headers["content-type"].startswith("text/csv")


def test_files_outlive_the_server_and_leftovers_do_not(own: Files) -> None:
    id = own.upload(b"hello")
    path = own.url(id)
    own.server.stop()
    folder = own.server.data / "storage"
    old, fresh = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
    for name in (old, fresh, "tmp/put-half", "tmp/store-half"):
        (folder / name).write_bytes(b"x")
    known = path.rpartition("/")[2]
    two_days_ago = time.time() - 2 * 86_400
    os.utime(folder / old, (two_days_ago, two_days_ago))
    os.utime(folder / known, (two_days_ago, two_days_ago))
    own.server.start()
    wait_for(lambda: set(own.stored()) == {known, fresh}, what="leftovers swept")
    assert own.get(path)[:2] == (200, b"hello")
    assert own.url(id) == path


def test_links_have_the_public_origin(start_server: StartServer) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    origin = "https://files.example.com"
    server = start_server("--origin", origin, "--port", str(port))
    server.port = port
    server.push_ok(STORAGE_APP)
    upload = server.call("mutation", "files:upload_url")
    assert upload.startswith(f"{origin}/api/storage/upload?token=")
    id = Files(server).send(upload.removeprefix(origin), b"x")[1]["storageId"]
    assert server.call("query", "files:url", id=id).startswith(f"{origin}/api/storage/")


def test_large_files_go_through_in_constant_memory(own: Files) -> None:
    """Both ways, over HTTP and through an action."""
    size_mib = 400
    block = os.urandom(MIB)
    path = own.path(own.call("mutation", "files:upload_url"))
    before = _peak_mib(own.server)

    def pieces() -> Iterator[bytes]:
        for _ in range(size_mib):
            yield block

    status, answer, _ = own.send(path, pieces(), "application/octet-stream")
    assert status == 200
    with contextlib.closing(
        http.client.HTTPConnection("127.0.0.1", own.server.port, timeout=200)
    ) as connection:
        connection.request("GET", own.url(answer["storageId"]))
        response = connection.getresponse()
        for _ in range(size_mib):
            assert response.read(MIB) == block
        assert response.read() == b""
    id = own.call("action", "files:store_large", mib=size_mib)
    assert own.call("action", "files:read_large", id=id) == size_mib * MIB
    assert _peak_mib(own.server) - before < 64


def _peak_mib(server: ServerProcess) -> float:
    """Return the highest resident memory that the server or one of its executors has had."""
    parents: dict[int, int] = {}
    peaks: dict[int, float] = {}
    for path in Path("/proc").glob("[0-9]*/status"):
        with contextlib.suppress(OSError, KeyError):
            fields = dict(line.split(":", 1) for line in path.read_text().splitlines() if ":" in line)
            pid = int(fields["Pid"])
            parents[pid], peaks[pid] = int(fields["PPid"]), int(fields["VmHWM"].split()[0]) / 1024
    ours = {server.process.pid}
    while more := {pid for pid, parent in parents.items() if parent in ours} - ours:
        ours |= more
    return max(peaks[pid] for pid in ours)


def test_a_slow_reader_holds_nobody_up_and_fills_no_memory(own: Files) -> None:
    id = own.call("action", "files:store_large", mib=200)
    before = _peak_mib(own.server)
    slow = socket.create_connection(("127.0.0.1", own.server.port))
    slow.sendall(f"GET {own.url(id)} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    assert slow.recv(100).startswith(b"HTTP/1.1 200")
    for _ in range(20):
        assert own.call("query", "files:metadata", id=id)["size"] == 200 * MIB
    assert _peak_mib(own.server) - before < 32
    slow.close()


def test_files_in_s3(start_server: StartServer, tmp_path: Path) -> None:
    with s3_server(tmp_path) as s3:
        bucket = s3.bucket()
        server = start_server("--storage", f"s3://{bucket}/files", env=s3.env)
        server.push_ok(STORAGE_APP)
        files = Files(server)
        data = os.urandom(20 * MIB + 1)
        id = files.upload(data, "application/octet-stream")
        assert files.get(files.url(id))[1] == data
        assert files.get(files.url(id), Range="bytes=1000000-1000009")[:2] == (206, data[1_000_000:1_000_010])
        assert files.call("action", "files:store_kinds", folder=str(tmp_path)) == ["content"] * 7
        path = files.path(files.call("mutation", "files:upload_url"))
        assert files.send(path, b"x", Digest=f"sha-256={HELLO_SHA256}")[1]["code"] == "Sha256Mismatch"
        _, listing = s3.request("GET", f"/{bucket}?list-type=2")
        assert listing.count(b"<Key>files/") == 8
        assert s3.unfinished(bucket) == 0
        assert not (server.data / "storage").exists()
        wait_for(lambda: list((server.data / "spool").iterdir()) == [], what="an empty spool")


@pytest.mark.parametrize("wrong", ["ftp://x/y", "s3:///x"])
def test_a_storage_that_makes_no_sense(tmp_path: Path, wrong: str) -> None:
    command = [sys.executable, "-m", "convexpy.serve", "--data", str(tmp_path / "data"), "--storage", wrong]
    ports = ["--port", "0", "--site-port", "0"]
    env = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(
        [*command, *ports], capture_output=True, text=True, env=env, timeout=200, check=False
    )
    assert done.returncode == 1
    assert json.loads(done.stderr.splitlines()[-1])["error"]["code"] == "BadStorage"
