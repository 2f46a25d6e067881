"""One run of `convexpy dev`: lock, server, loop, and the way out in every case."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from convexpy.client import Unreachable
from convexpy.project import (
    LocalDeployment,
    Target,
    has_typescript_functions,
    read_env_file,
    write_client_env,
)
from convexpy_cli import context, errors
from convexpy_cli.context import Context, wait_for
from convexpy_cli.deployments.local_server import LocalServer, Reach
from convexpy_cli.dev import states
from convexpy_cli.dev.debugger import DebuggerTerminal
from convexpy_cli.dev.editor import Editor
from convexpy_cli.dev.loop import Loop, LoopSettings

if TYPE_CHECKING:
    from convexpy_cli.dev.page import Page

TEMPORARY_HOLDER_S = 15.0


class Session:
    """Serves and pushes one project until it is told to stop."""

    def __init__(self, ctx: Context, settings: LoopSettings) -> None:
        self._ctx = ctx
        self._settings = settings
        self._server: LocalServer | None = None
        self._loop: Loop | None = None
        self._local: LocalDeployment | None = None
        self._interrupts = 0
        self._debugger: DebuggerTerminal | None = None
        self._editor: Editor | None = None

    def local(
        self, *, port: int | None, site_port: int | None, reach: Reach, no_server: bool, env_from: Path | None
    ) -> int:
        """Run against the local deployment, starting its server unless it runs already."""
        local = self._local = LocalDeployment(self._ctx.project)
        self._check_folder()
        target = Target(name="local", kind="local")
        if self._settings.no_push or no_server:
            if local.holder() is None:
                raise Unreachable(
                    "the local deployment is not running", hint="convexpy dev, without --no-server"
                )
            return self._follow(context.attach(local, target), None)
        self._lock(local)
        self._handle_signals()
        try:
            is_new = local.admin_key() is None
            debugging = self._debugging(local)
            with self._ctx.output.working("starting the local deployment", quick=True):
                server = self._server = LocalServer.start(
                    local,
                    port=port,
                    site_port=site_port,
                    reach=reach,
                    debugging=debugging,
                    warn=self._ctx.output.warn,
                )
            target = replace(target, url=server.url, site_url=server.site_url, admin_key=local.admin_key())
            self._write_env(target)
            if env_from is not None and is_new:
                self._ctx.client(target).update_environment(dict(read_env_file(env_from)))
            threading.Thread(target=self._watch_server, args=(server,), daemon=True, name="server").start()
            return self._follow(target, server)
        finally:
            if self._debugger is not None:
                self._debugger.close()  # what is paused goes on, or the server would wait for it
            if self._editor is not None:
                self._editor.close()
            if self._server is not None:
                self._server.stop()
            local.release()

    def remote(self, target: Target) -> int:
        """Push to a remote development deployment."""
        if target.production:
            raise errors.consent(f'"{target.name}" is production', "use `convexpy deploy`")
        self._check_folder()
        self._handle_signals()
        client = self._ctx.client(target)
        client.check_key()
        if target.site_url is None:
            target = replace(target, site_url=client.urls()[1])
        client.close()
        return self._follow(target, None)

    def _follow(self, target: Target, server: LocalServer | None) -> int:
        page = self._page(target)
        self._loop = Loop(self._ctx, target, self._settings, on_first_live=lambda: self._open(page))
        if self._debugger is not None:
            self._debugger.taken = self._loop.terminal_taken
        kind = "Local" if target.kind == "local" else "Remote"
        name = self._ctx.project.name if target.kind == "local" else target.name
        self._loop.screen.server(
            kind, name, target.url, target.site_url or "", server.pid if server else None
        )
        if page is not None:
            self._loop.screen.page(page.url)
        if not self._interrupts:
            self._handle_signals()
        try:
            exit_code = self._loop.run()
        finally:
            if page is not None:
                page.close()
        self._loop.screen.stopped(exit_code)
        return exit_code

    def _page(self, target: Target) -> Page | None:
        """Serve the folder of `[dev] page`; not for a run that ends by itself."""
        configured = self._ctx.project.config.page
        if not configured or self._settings.once or self._settings.until_success:
            return None
        from convexpy_cli.dev.page import Page

        folder = self._ctx.project.root / configured
        if not folder.is_dir():
            self._ctx.output.warn(f'[dev] page = "{configured}": there is no such folder')
            return None
        return Page(folder, url=target.url, site_url=target.site_url or "")

    def _open(self, page: Page | None) -> None:
        if not self._settings.open_page:
            return
        if page is None:
            self._ctx.output.warn('--open: the configuration names no page ([dev] page = "web")')
        else:
            page.open()

    def _debugging(self, local: LocalDeployment) -> dict[str, str]:
        """Return the variables that tell the server where functions are debugged: in an editor, or at this terminal."""
        if self._settings.debugpy is not None:
            self._editor = Editor.wait_for(self._settings.debugpy, self._ctx.output)
            return {"CONVEXPY_EDITOR": self._editor.address}
        self._debugger = DebuggerTerminal.if_somebody_is_there(self._ctx)
        return {} if self._debugger is None else {"CONVEXPY_DEBUGGER": self._debugger.listen(local.folder)}

    def _check_folder(self) -> None:
        self._ctx.require_functions()
        functions = self._ctx.project.functions
        if not any(functions.rglob("*.py")) and has_typescript_functions(functions):
            self._ctx.output.warn(f"{functions.name}/ holds TypeScript functions; convexpy runs Python ones")

    def _lock(self, local: LocalDeployment) -> None:
        holder = local.acquire("dev", time.time())
        if holder is not None and holder.command != "dev":
            # `run` or `env` keep the server for a moment only.
            still = wait_for(lambda: None if local.holder() else True, TEMPORARY_HOLDER_S)
            holder = local.acquire("dev", time.time()) if still else holder
        if holder is not None:
            age = f" since {time.strftime('%H:%M:%S', time.localtime(holder.since))}" if holder.since else ""
            raise errors.Failure(
                "DevAlreadyRunning",
                f"`convexpy {holder.command}` is already running for this project: pid {holder.pid}{age}",
                hint="use that terminal, or --no-push to follow its logs here",
                data={"pid": holder.pid, "port": holder.port},
            )

    def _write_env(self, target: Target) -> None:
        project = self._ctx.project
        file = project.root / project.config.client_file
        if write_client_env(project.root, file, target.url, target.site_url or "", "local"):
            self._ctx.output.note(f"wrote the URLs of the deployment to {file.name}")

    def _watch_server(self, server: LocalServer) -> None:
        code = server.wait()
        assert self._local is not None  # there is a server only for a local deployment
        if self._loop is not None:
            error = errors.Failure(
                "ServerStopped",
                f"the local server exited with status {code}",
                hint=f"its log is {self._local.log_file}",
            )
            self._loop.send(states.Ended(errors.UNREACHABLE, errors.shown(error)))

    def _handle_signals(self) -> None:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, self._interrupted)
            signal.signal(signal.SIGTERM, self._interrupted)

    def _interrupted(self, number: int, _frame: FrameType | None) -> None:
        self._interrupts += 1
        exit_code = errors.INTERRUPTED if number == signal.SIGINT else 128 + number
        if self._debugger is not None:
            self._debugger.release()  # first of all: what is paused may still end well
        if self._interrupts == 1 and self._loop is not None:
            self._loop.send(states.Ended(exit_code))
        elif self._interrupts == 1:
            raise KeyboardInterrupt
        else:
            self._kill(exit_code)

    def _kill(self, exit_code: int) -> None:
        """The second Ctrl-C: nothing is waited for."""
        for part in (self._loop, self._server):
            with contextlib.suppress(OSError):
                if part is not None:
                    part.kill()
        if self._local is not None:
            with contextlib.suppress(OSError):
                self._local.release()
        os._exit(exit_code)
