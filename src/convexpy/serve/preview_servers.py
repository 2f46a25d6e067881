"""The server processes of previews: one each, on a port of its own, ended with this one."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import sys
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path

from convexpy.access import KEY_VARIABLE, leave_key
from convexpy.deployment import load_keys
from convexpy.errors import RequestError
from convexpy.executors.base_process import DATABASE_VARIABLE
from convexpy.protocol.host_names import read_origin
from convexpy.runtime import SystemClock
from convexpy.serve.listening import PortInUse, bind
from convexpy.serve.notify import NOTIFY_VARIABLE
from convexpy.serve.options import ConfigInvalid, ServeOptions
from convexpy.serve.startup import LITERAL_KEYS
from convexpy.services.previews.previews import Previews

READY_WITHIN_S = 60.0
STOP_WITHIN_S = 20.0
OUTPUT_ENDS_WITHIN_S = 2.0
RESTARTED_AFTER_S = (1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 60.0)
OWN_VARIABLES = (DATABASE_VARIABLE, KEY_VARIABLE, LITERAL_KEYS, NOTIFY_VARIABLE)
"""What is this deployment's alone: a preview has a database, a secret and keys of its own, and is no service to systemd."""
logger: logging.Logger = logging.getLogger("convexpy.previews")


def of(options: ServeOptions) -> Previews | None:
    """Return the previews that a server hosts, None if it hosts none.

    Raises:
        ConfigInvalid: with these settings previews could not be reached.
    """
    if options.previews is None:
        if options.preview_origin is not None:
            raise ConfigInvalid("--preview-origin without --previews", hint="--previews 3300-3349")
        return None
    _check(options)
    folder = options.data.with_name(f"{options.data.name}.previews")
    return Previews(folder, ServerProcesses(options), SystemClock())


def _check(options: ServeOptions) -> None:
    if options.node is not None:
        raise ConfigInvalid(
            "--previews with --node: a preview is on one machine, and the node that serves changes",
            hint="a server of its own for previews, without --node",
        )
    template = options.preview_origin
    if template is None and (options.origin or "").startswith("https://") and options.tls_cert is None:
        raise ConfigInvalid(
            "--previews: a proxy in front of this server speaks TLS; how do browsers reach the ports of previews?",
            hint="--preview-origin 'https://p{port}.example.com', and the same in the proxy",
        )
    if template is not None:
        try:
            filled = template.format(port=1, name="x")
        except (KeyError, IndexError, ValueError) as error:
            raise ConfigInvalid(
                f"--preview-origin {template!r} has other fields than {{port}} and {{name}}"
            ) from error
        if not filled.startswith(("http://", "https://")) or filled.count("/") != 2 or filled == template:
            raise ConfigInvalid(
                f"--preview-origin {template!r} is not an origin with {{port}} or {{name}} in it",
                hint="--preview-origin 'https://p{port}.example.com'",
            )


def _ports(text: str) -> range:
    first, _, last = text.partition("-")
    try:
        ports = range(int(first), int(last or first) + 1)
    except ValueError:
        ports = range(0)
    if not ports or ports[0] < 1 or ports[-1] > 65535:
        raise ConfigInvalid(f"--previews {text!r} is not a range of ports", hint="--previews 3300-3349")
    return ports


class _Server:
    """The server of one preview: started again when it ends by itself."""

    def __init__(self, name: str, command: list[str], environment: Mapping[str, str]) -> None:
        self._name = name
        self._command = command
        self._environment = environment
        self._ready = asyncio.Event()
        self._failed = asyncio.Event()
        self._last_error = ""
        self._task = asyncio.create_task(self._run())

    @property
    def state(self) -> str:
        if self._ready.is_set():
            return "running"
        return f"failed: {self._last_error}" if self._last_error else "starting"

    async def until_ready(self) -> None:
        """Wait until it serves.

        Raises:
            RequestError: it failed, or takes too long.
        """
        waits = [asyncio.create_task(self._ready.wait()), asyncio.create_task(self._failed.wait())]
        await asyncio.wait(waits, timeout=READY_WITHIN_S, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
        if not self._ready.is_set():
            raise RequestError(
                f"the server of preview {self._name!r} does not start: {self._last_error or 'it takes too long'}",
                status=500,
                code="PreviewFailed",
                hint="the log of the server has more",
            )

    async def stop(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        attempts = 0
        while True:
            was_ready = await self._run_once()
            attempts = 0 if was_ready else attempts + 1
            self._failed.set()
            pause_s = RESTARTED_AFTER_S[min(attempts, len(RESTARTED_AFTER_S) - 1)]
            logger.warning(
                "preview %s ended: %s; started again in %g s", self._name, self._last_error, pause_s
            )
            await asyncio.sleep(pause_s)

    async def _run_once(self) -> bool:
        """Run the process to its end, and end it when this is cancelled; return whether it was ready."""
        self._failed.clear()
        # The process stops at the end of file of this pipe, however this one ends.
        watched, held = os.pipe()
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command,
                f"--watchdog-fd={watched}",
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env=dict(self._environment),
                pass_fds=(watched,),
                start_new_session=True,
            )
        finally:
            os.close(watched)
        assert process.stdout is not None
        assert process.stderr is not None
        reading = [
            asyncio.create_task(self._read_output(process.stdout)),
            asyncio.create_task(self._read_log(process.stderr)),
        ]
        was_ready = False
        try:
            status = await process.wait()
            was_ready = self._ready.is_set()
            await asyncio.wait(reading, timeout=OUTPUT_ENDS_WITHIN_S)
            self._last_error = self._last_error or f"exit status {status}"
        finally:
            self._ready.clear()
            os.close(held)
            if process.returncode is None:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(process.wait(), STOP_WITHIN_S)
            if process.returncode is None:
                process.kill()
                await process.wait()
            for task in reading:
                task.cancel()
        return was_ready

    async def _read_output(self, stream: asyncio.StreamReader) -> None:
        async for line in _lines(stream):
            with contextlib.suppress(ValueError):
                if json.loads(line).get("ready"):
                    self._last_error = ""
                    self._failed.clear()
                    self._ready.set()

    async def _read_log(self, stream: asyncio.StreamReader) -> None:
        async for line in _lines(stream):
            text = line.decode(errors="replace").rstrip()
            with contextlib.suppress(ValueError, KeyError, TypeError):
                self._last_error = str(json.loads(text)["error"]["message"])
            logger.info("preview %s: %s", self._name, text)


async def _lines(stream: asyncio.StreamReader) -> AsyncGenerator[bytes]:
    """Yield the lines of a stream; one that is longer than its limit is left out, so that the writer never waits."""
    while True:
        try:
            line = await stream.readline()
        except ValueError:
            continue
        if not line:
            return
        yield line


class ServerProcesses:
    """Starts the servers of previews with the settings of this one, each on its own port with its own data."""

    def __init__(self, options: ServeOptions) -> None:
        self._options = options
        self._ports = _ports(options.previews or "")
        self._servers: dict[str, _Server] = {}

    def urls(self, name: str, port: int) -> tuple[str, str]:
        """Return the public URLs of the API and of HTTP actions."""
        options = self._options
        if options.preview_origin is not None:
            url = options.preview_origin.format(name=name, port=port)
        else:
            scheme = "http" if options.tls_cert is None else "https"
            public = read_origin(options.origin.rstrip("/")) if options.origin else None
            host = "127.0.0.1" if options.host in ("0.0.0.0", "::") else options.host
            host = host if public is None else public.host
            url = f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"
        return url, f"{url}/http"

    def free_port(self, taken: set[int]) -> int | None:
        """Return the first port that no preview and no other program has."""
        for port in self._ports:
            if port not in taken:
                with contextlib.suppress(PortInUse):
                    bind(self._options.host, port, "--previews").close()
                    return port
        return None

    async def start(self, name: str, port: int, data: Path) -> None:
        """Have a server run; returns when it is ready."""
        if name not in self._servers:
            environment = {each: value for each, value in os.environ.items() if each not in OWN_VARIABLES}
            self._servers[name] = _Server(name, self._command(name, port, data), environment)
        await self._servers[name].until_ready()

    async def stop(self, name: str) -> None:
        """Stop a server, if it runs."""
        server = self._servers.pop(name, None)
        if server is not None:
            await server.stop()

    def state(self, name: str) -> str:
        """Return `running`, `starting` or `failed: ` and why."""
        return self._servers[name].state if name in self._servers else "starting"

    def new_key(self, data: Path, holder: str, expires_at: float) -> str:
        """Return a new admin key, whose record waits in the data folder until it is used."""
        keys = load_keys(data)
        assert keys is not None  # its server has made them
        return leave_key(
            data, keys.name, keys.instance_secret, name=holder, kind="admin", expires_at=expires_at
        ).key

    def _command(self, name: str, port: int, data: Path) -> list[str]:
        options = self._options
        given: dict[str, object] = {
            "data": data,
            "host": options.host,
            "port": port,
            "origin": self.urls(name, port)[0],
            "name": f"preview-{name}",
            "query_executors": 1,
            "config": options.config,
            "tls_cert": options.tls_cert,
            "tls_key": options.tls_key,
            "report": "json",
            "log_format": "human",
        }
        repeated = {
            "allow_origin": [*options.allow_origin, *options.preview_allow_origin],
            "allow_host": options.allow_host,
            "trusted_proxy": options.trusted_proxy,
        }
        flags = ["production", "single_port", *(["redact_errors"] if options.redact_errors else [])]
        if options.allow_network_file_system:
            flags.append("allow_network_file_system")
        if load_keys(data) is None:
            flags.append(
                "print_admin_key"
            )  # to this process, which has no need of it: else it is kept in a file
        return [
            sys.executable,
            "-P",
            "-m",
            "convexpy.serve",
            *(_flag(flag) for flag in flags),
            *(f"{_flag(key)}={value}" for key, value in given.items() if value is not None),
            *(f"{_flag(key)}={value}" for key, values in repeated.items() for value in values),
        ]


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"
