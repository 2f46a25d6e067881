"""Starting and stopping a deployment server.

Start: checks of files, ports, keys, data folder, executors, a push if there is one, then listen; only then the ready line.
So a port in use or a folder in use leaves nothing behind. Stop (SIGTERM, SIGINT, end of the watchdog): close sockets with
1001, finish or cut calls, last group, full checkpoint, children, lock. A second signal ends everything at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Coroutine
from typing import Any, NoReturn

from convexpy.deployment import (
    Apps,
    Deployment,
    Keys,
    Preparation,
    build_apps,
    open_folder,
)
from convexpy.errors import Error
from convexpy.executors.executor_user import executor_user
from convexpy.http.access_log import AccessLog
from convexpy.http.direct_calls import DirectCalls
from convexpy.http.forwarded import ForwardedHeaders
from convexpy.http.request_guard import RequestGuard
from convexpy.limits import Knobs
from convexpy.persistence import DataStore, Turn, storage_refusal
from convexpy.runtime import SystemClock, hide_process
from convexpy.serve import (
    again,
    announce,
    first_start,
    function_log,
    log_output,
    nodes,
    preview_servers,
    startup,
    watchdog,
)
from convexpy.serve.bounded_protocol import ConnectionCounter
from convexpy.serve.gate import Gate
from convexpy.serve.listening import AsgiApp, Server, bind, origin_of, server_of
from convexpy.serve.log_output import LogOutput, now_text
from convexpy.serve.notify import notify
from convexpy.serve.options import ServeOptions, parse
from convexpy.serve.tls import check_tls
from convexpy.services.files.blobs import open_blob_store
from convexpy.services.previews.previews import Previews
from convexpy.services.pushes.requests import PushRequest
from convexpy.services.variables.service import holds_sealed, load_secret_key

EXIT_UNKNOWN_OUTCOME = 75
LOOPBACK = ["127.0.0.0/8", "::1"]
"""Proxies of a development server: a tunnel to it runs on the same machine."""
CLOSE_AFTER_FAILURE_S = 20.0
FORCED = {signal.SIGTERM: 143, signal.SIGINT: 130}
CALLS_LOOKED_AT_EVERY_S = 0.02
DEVELOPMENT_GRACE_S = 2.0
"""Who presses Ctrl-C does not wait for an action that goes on for minutes."""
LAST_COMMITS_S = 1.0
"""For mutations that nobody waits for any more, at the least."""
GC_ALLOCATIONS = 20_000
"""Requests make few cycles, and what lives long is many subscriptions: Python's default of 700 is mostly for nothing."""
logger: logging.Logger = logging.getLogger("convexpy.serve")


class _Process:
    """A server from the first check to the exit status."""

    def __init__(self, options: ServeOptions, output: LogOutput | None) -> None:
        self._options = options
        self._output = output
        self._stop = asyncio.Event()
        self._status = 0
        self._is_announced = False
        self._ports: list[socket.socket] = []
        self._turn: Turn | None = None
        self._name = ""
        self._keys: Keys
        self._servers: list[tuple[Server, socket.socket]] = []
        self._tasks: list[asyncio.Task[Any]] = []
        self._previews: Previews | None = None
        self._deployment: Deployment
        self._apps: Apps

    async def run(self) -> int:
        """Serve until told to stop; return the exit status."""
        options = self._options
        check_tls(options.tls_cert, options.tls_key)
        knobs = startup.knobs(options)
        literal_keys = startup.literal_keys(options)
        push = startup.read_push(options.push_fd)
        if options.node is not None:
            nodes.check(options)
        self._previews = preview_servers.of(options)
        self._ports = again.inherited()
        self._is_announced = bool(self._ports)
        if not self._ports:
            self._bind()
        for number in FORCED:
            asyncio.get_running_loop().add_signal_handler(number, self._stop.set)
        if options.node is not None and not await self._wait_for_turn():
            return self._status
        try:
            key = await self._unless_stopped(
                asyncio.ensure_future(self._open_and_start(knobs, literal_keys, push))
            )
        except Exception as error:
            if options.node is None or not self._is_announced or not nodes.may_pass(error):
                raise
            logger.warning("this node cannot serve and stands by again: %s", error)
            self._begin_again()
        if self._stop.is_set():
            return self._status
        gc.freeze()
        gc.set_threshold(GC_ALLOCATIONS, 20, 50)
        self._listen(knobs)
        self._announce(key)
        notify("READY=1", f"STATUS=serving {self._deployment.settings.cloud_url}")
        await self._stop.wait()
        await self._end()
        return self._status

    # Start

    async def _wait_for_turn(self) -> bool:
        """As one of several nodes: relay until it is this one's turn; False if told to stop before."""
        options = self._options
        startup.make_folder(options)
        keys = first_start.ensure_keys(options)
        self._name = keys.name
        sockets = self._ports[: 1 if options.single_port else 2]

        def waits() -> None:
            logger.info("another node serves: this one passes connections on to it")
            self._announce(None)
            notify("READY=1", "STATUS=another node serves")

        def join() -> Turn:
            return nodes.join(options, keys, sockets)

        def prepare(turn: Turn) -> Coroutine[Any, Any, None]:
            return Preparation(
                turn.reader, options.data, clock=SystemClock(), install=options.production
            ).run_regularly()

        standby = nodes.Standby(
            join, sockets, self._stop, speaks_tls=options.tls_cert is not None, waits=waits, prepare=prepare
        )
        self._turn = await standby.turn(again=self._is_announced)
        return self._turn is not None

    def _urls(self) -> tuple[str, str]:
        """Return the public addresses of the API and of HTTP actions."""
        options, ports = self._options, self._ports
        scheme = "http" if options.tls_cert is None else "https"
        cloud_url = (options.origin or "").rstrip("/") or origin_of(scheme, options.host, ports[0])
        site_url = (options.site_origin or "").rstrip("/")
        if options.single_port:
            return cloud_url, site_url or f"{cloud_url}/http"
        return cloud_url, site_url or origin_of(scheme, options.host, ports[1])

    def _announce(self, key: str | None) -> None:
        """Write the ready line, once."""
        if self._is_announced:
            return
        self._is_announced = True
        options = self._options
        cloud_url, site_url = self._urls()
        ready = {"ready": True, "pid": os.getpid(), "url": cloud_url, "siteUrl": site_url, "name": self._name}
        if options.metrics_port is not None:
            ready["metricsUrl"] = f"{origin_of('http', options.metrics_host, self._ports[-1])}/metrics"
        announce.ready_line(options, ready, key)

    def _bind(self) -> None:
        """Open the listening sockets: of the API, of HTTP actions unless they share it, of the metrics if asked for."""
        options, ports = self._options, self._ports
        ports.append(bind(options.host, options.port, "--port"))
        if not options.single_port:
            ports.append(bind(options.host, options.site_port, "--site-port"))
        if options.metrics_port is not None:
            ports.append(bind(options.metrics_host, options.metrics_port, "--metrics-port"))

    async def _open_and_start(
        self, knobs: Knobs, literal_keys: tuple[str, ...], push: PushRequest | None
    ) -> str | None:
        """Open the deployment and start it; return the first admin key if it was made now."""
        store = None if self._turn is None else await asyncio.to_thread(self._turn.open)
        self._open(knobs, literal_keys, store)
        self._apps = build_apps(self._deployment, self._previews)
        return await self._start(push)

    def _open(self, knobs: Knobs, literal_keys: tuple[str, ...], store: DataStore | None) -> None:
        options = self._options
        startup.make_folder(options)
        clock = SystemClock()
        storage = open_folder(
            options.data,
            clock,
            database=startup.database(options),
            store=store,
            allow_network_file_system=options.allow_network_file_system,
            blobs=open_blob_store(options.storage, options.data),
        )
        user = executor_user()
        if user is not None:
            user.open_databases(options.data)
        self._keys = keys = first_start.ensure_keys(options)
        self._name = keys.name
        secret_key = load_secret_key(options.data, create=not holds_sealed(storage.start_state.environment))
        settings = startup.settings(
            options, keys, self._urls(), knobs, secret_key=secret_key, literal_keys=literal_keys
        )
        self._deployment = Deployment(
            storage, settings, on_fatal=self._fatal, starter=startup.starter(options), clock=clock
        )

    def _fatal(self, error: BaseException) -> None:
        self._status = EXIT_UNKNOWN_OUTCOME
        self._apps.sockets.close_all(1011, "InternalServerError")
        # Nothing may be answered any more: the next start decides what is in the log.
        asyncio.get_running_loop().call_later(0.2, self._end_at_once)

    def _end_at_once(self) -> None:
        """End, for the service manager to start this server again; a node stands by again in the same process."""
        if self._options.node is not None and os.name == "posix" and not self._stop.is_set():
            self._begin_again()
        os._exit(EXIT_UNKNOWN_OUTCOME)

    def _begin_again(self) -> NoReturn:
        logger.warning("this node begins again, and stands by")
        if self._output is not None:
            self._output.close()
        again.begin_again(self._ports)

    async def _unless_stopped(self, starting: asyncio.Future[str | None]) -> str | None:
        """Return the result of the start, which may install packages for minutes, unless the server is stopped before."""
        stopped: asyncio.Future[Any] = asyncio.ensure_future(self._stop.wait())
        await asyncio.wait((starting, stopped), return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if starting.done():
            return starting.result()
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)
        return None

    async def _start(self, push: PushRequest | None) -> str | None:
        """Start the deployment; return the first admin key if it was made now. What fails ends the deployment again."""
        try:
            startup.let_executors_write(self._deployment)
            await self._deployment.start()
            return await self._before_listening(push)
        except BaseException:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CLOSE_AFTER_FAILURE_S):
                    await self._deployment.close()
            raise

    async def _before_listening(self, push: PushRequest | None) -> str | None:
        """Make keys and the version live that the server was given; return the first admin key if it was made now."""
        options = self._options
        if push is not None:
            result = await self._deployment.pusher.push(push)
            logger.info("version %s is live", result["version"])
        if not options.production:
            return None
        self._apps.probes.metrics  # noqa: B018 - counting begins here
        await self._deployment.keyring.take_new()
        announce.warn_of_exposure(options)
        first_start.warn_of_plain_keys(options, self._keys)
        if options.node is not None and self._deployment.keyring.keys.records:
            return None  # another node was first
        return await first_start.make_first_key(self._deployment, self._keys)

    def _listen(self, knobs: Knobs) -> None:
        options = self._options
        cert, key = options.tls_cert, options.tls_key
        waiting = list(self._ports)
        turn = self._turn
        gate = None if turn is None else Gate(lambda: turn.is_held)
        allowed = startup.allowed_names(options, self._deployment.settings)
        report = announce.reporter(options)
        counter = ConnectionCounter(knobs.connections_per_address)

        def guarded(app: AsgiApp, *open_to_pages: str) -> RequestGuard:
            return RequestGuard(app, allowed, open_to_pages=open_to_pages, report=report)

        guard = guarded(self._apps.api, "/http/")
        direct = DirectCalls(self._apps.functions, self._apps.running, guard, self._write_access)
        api = self._wrapped(guard)
        self._serve(
            server_of(api, knobs, counter, direct=direct, gate=gate, cert=cert, key=key), waiting.pop(0)
        )
        if not options.single_port:
            site = self._wrapped(guarded(self._apps.site, "/"))
            self._serve(server_of(site, knobs, counter, gate=gate, cert=cert, key=key), waiting.pop(0))
        if options.metrics_port is not None:
            self._serve(server_of(guarded(self._apps.probes.without_key), knobs, counter), waiting.pop(0))
        if self._previews is not None:
            self._in_background(self._previews.run())
        if options.watchdog_fd is not None:
            self._in_background(watchdog.watch(options.watchdog_fd, self._stop))
        if self._output is not None and options.function_log:
            self._in_background(function_log.follow(self._deployment.log, self._output.write))

    @property
    def _write_access(self) -> Callable[[dict[str, Any]], None] | None:
        """What takes the records of an access log, if there is one."""
        output = self._output
        if output is None or not self._options.access_log:
            return None
        return lambda record: output.write({"ts": now_text(), "level": "INFO", "type": "access", **record})

    def _wrapped(self, app: AsgiApp) -> AsgiApp:
        """Return the application with what was asked for around it."""
        if self._write_access is not None:
            app = AccessLog(app, self._write_access)
        proxies = self._options.trusted_proxy or ([] if self._options.production else LOOPBACK)
        # Outermost, so that everything below sees the client's own address.
        return ForwardedHeaders(app, proxies) if proxies else app

    def _serve(self, server: Server, sock: socket.socket) -> None:
        self._servers.append((server, sock))
        self._in_background(server.serve(sockets=[sock]))

    def _in_background(self, work: Coroutine[Any, Any, Any]) -> None:
        self._tasks.append(asyncio.get_running_loop().create_task(work))

    # Stop

    async def _end(self) -> None:
        loop = asyncio.get_running_loop()
        for number, status in FORCED.items():
            loop.add_signal_handler(number, os._exit, status)
        notify("STOPPING=1", "STATUS=finishing running calls")
        self._apps.probes.stopping = True
        self._apps.sockets.leave_all(1001, "GoingAway")
        for server, _ in self._servers:
            server.end()
        await self._deployment.close(grace_s=await self._calls_end())
        for server, _ in self._servers:
            server.force_exit = True
        for task in self._tasks[len(self._servers) :]:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _calls_end(self) -> float:
        """Wait for the calls under way, and answer those that last too long: clients of sockets come back and repeat them.

        Returns what is left of the time of grace.
        """
        loop, apps = asyncio.get_running_loop(), self._apps
        grace_s = self._deployment.settings.knobs.stop_grace_s
        until = loop.time() + (grace_s if self._options.production else min(grace_s, DEVELOPMENT_GRACE_S))
        while (len(apps.running) or len(apps.sockets)) and loop.time() < until:
            await asyncio.sleep(CALLS_LOOKED_AT_EVERY_S)
        apps.sockets.close_all(1001, "GoingAway")
        apps.running.cut_all()
        return max(until - loop.time(), LAST_COMMITS_S)


def main(arguments: list[str]) -> int:
    """Entry point; a failed start tells why in the last lines on stderr, and by its exit status."""
    options = parse(arguments)
    hide_process()
    output: LogOutput | None = None
    try:
        output = log_output.of_server(options)
        return _run(options, output)
    except Error as error:
        if output is not None:
            output.close()
        return announce.report_failure(options, error)
    except Exception as error:
        refusal = storage_refusal(error, options.data)
        if refusal is None:
            raise
        return announce.report_failure(options, refusal)
    finally:
        if output is not None:
            output.close()


def _run(options: ServeOptions, output: LogOutput | None) -> int:
    if sys.platform != "win32":
        import uvloop

        return uvloop.run(_Process(options, output).run())
    return asyncio.run(_Process(options, output).run())
