"""Nodes of one deployment, on PostgreSQL and an object store."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from support.postgres import PostgresServer
from support.processes import ServerProcess
from support.s3 import s3_server

StartNode = Callable[..., ServerProcess]


@contextmanager
def nodes_of(
    folder: Path, postgres: PostgresServer, *, server: type[ServerProcess] = ServerProcess
) -> Iterator[StartNode]:
    """Return what starts a node, a server of some kind; all are stopped in the end."""
    url = postgres.secret_url()
    (folder / "secret").write_text("ab" * 32)
    nodes: list[ServerProcess] = []
    with s3_server(folder) as s3:
        bucket = s3.bucket()

        def start(name: str, *options: str) -> ServerProcess:
            shared = ["--node", "127.0.0.1", "--name", "app", "--secret-file", str(folder / "secret")]
            shared += ["--storage", f"s3://{bucket}/files", *options]
            env = {"CONVEXPY_SECRET_KEY": "k" * 64, **s3.env}
            node = server(folder / name, *shared, env=env, database=url)
            nodes.append(node)
            return node

        yield start
        for node in nodes:
            node.close()
