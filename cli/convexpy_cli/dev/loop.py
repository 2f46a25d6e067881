"""Running the watch loop: events in through one queue, effects out to threads that answer with events."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from convexpy.client import AdminClient
from convexpy.errors import Error
from convexpy.project import Project, Target, client_variables, find_checker, open_project, run_checker
from convexpy_cli import errors
from convexpy_cli.context import Context
from convexpy_cli.dev import jobs, states
from convexpy_cli.dev.companion import Companion
from convexpy_cli.dev.consent import ConsentingPush
from convexpy_cli.dev.screen import Screen
from convexpy_cli.dev.tail import LogTail
from convexpy_cli.dev.watcher import Watcher, needs_polling
from convexpy_cli.functions import call


@dataclass(frozen=True, kw_only=True)
class LoopSettings:
    """The options of `convexpy dev` that the loop reads, with the configuration already filled in."""

    once: bool
    until_success: bool
    no_push: bool
    push_all: bool
    poll: bool | None
    typecheck: str
    codegen: str
    tail_logs: str
    function: str | None
    start: str
    open_page: bool
    debugpy: int | None = None


class Loop:
    """One watch loop over one deployment."""

    def __init__(
        self, ctx: Context, target: Target, settings: LoopSettings, *, on_first_live: Callable[[], None]
    ) -> None:
        self._ctx = ctx
        self._on_first_live: Callable[[], None] | None = on_first_live
        self._project: Project = ctx.project
        self._target = target
        self._settings = settings
        self._events: queue.SimpleQueue[states.Event] = queue.SimpleQueue()
        self._pushes: queue.SimpleQueue[states.StartPush | None] = queue.SimpleQueue()
        self._client = ctx.client(target)
        self.screen = Screen(ctx.output, in_place=not settings.start)
        self._watcher = self._make_watcher()
        self._tail = LogTail(self._client.clone(), ctx.output, settings.tail_logs)
        self._companion: Companion | None = None
        self._spinner = ExitStack()
        self._consenting = self._make_consenting() if target.kind == "remote" else None
        self._required_seen = False
        self._latest = {"codegen": jobs.LatestOnly(), "typecheck": jobs.LatestOnly()}
        self._checker = None if settings.typecheck == "disable" else find_checker(self._project)
        self._options = states.Options(
            once=settings.once,
            until_success=settings.until_success,
            no_push=settings.no_push,
            codegen=settings.codegen != "disable",
            typecheck=settings.typecheck == "try" and self._checker is not None,
            run=settings.function is not None,
            companion=bool(settings.start),
        )

    def send(self, event: states.Event) -> None:
        """Give the loop an event, from any thread or signal handler."""
        self._events.put(event)

    def run(self) -> int:
        """Run until the loop ends; returns the exit status. Everything that was started here is stopped."""
        pusher = threading.Thread(target=self._push_forever, daemon=True, name="push")
        pusher.start()
        state: states.State = states.Starting()
        try:
            if self._settings.tail_logs != "disable":
                self._tail.start()
            self._begin()
            while True:
                state, effects = states.step(state, self._events.get(), self._options)
                for effect in effects:
                    if isinstance(effect, states.Stop):
                        return effect.exit_code
                    self._perform(effect)
        finally:
            self._stop()
            pusher.join(timeout=1.0)

    def kill(self) -> None:
        """End the companion at once: the second Ctrl-C."""
        if self._companion is not None:
            self._companion.kill()

    def terminal_taken(self, taken: bool) -> None:
        """Hold the log back while a debugger has the terminal."""
        (self._tail.hold if taken else self._tail.release)("debugger")

    def _begin(self) -> None:
        try:
            first = self._watcher.snapshot("start")
        except Error as error:
            self._watcher.start()
            self.send(states.FilesBroken(self._ctx.shown(error)))
            return
        if not self._options.ends and not self._options.no_push:
            self._watcher.start()
            # What was saved between the first look and the first event is seen now.
            self._watcher.look(())
        self.send(states.ServerReady(first))

    def _make_watcher(self) -> Watcher:
        setting = self._settings.poll if self._settings.poll is not None else self._project.config.poll
        poll = needs_polling(self._project.functions, setting)
        if poll and setting == "auto":
            self._ctx.output.note("this file system does not report changes; watching by polling")
        return Watcher(self._project, self.send, self._ctx.output.warn, poll=poll)

    def _make_consenting(self) -> ConsentingPush:
        def hold(asking: bool) -> None:
            (self._tail.hold if asking else self._tail.release)("question")

        # The companion reads from the terminal, too.
        alone = lambda: self._companion is None  # noqa: E731
        return ConsentingPush(self._ctx.settings, self._client, may_ask=alone, hold=hold)

    def _stop(self) -> None:
        self._spinner.close()
        self._pushes.put(None)
        if self._consenting is not None:
            self._consenting.restore_terminal()
        self._watcher.stop()
        if self._companion is not None:
            self._companion.stop()
        if self._settings.tail_logs != "disable":
            self._tail.push_ends()
            self._tail.release("debugger")
            self._tail.release("question")
            self._tail.stop()
        self._client.abort()

    # Effects

    def _perform(self, effect: states.Effect) -> None:
        self._spinner.close()
        if isinstance(effect, states.StartPush):
            self._tail.push_begins()
            if effect.round == 1 and self._consenting is None:
                # An app whose libraries take long to load; nobody else writes to the terminal yet.
                self._spinner.enter_context(self._ctx.output.working("loading the functions", quick=True))
            self.screen.round_started(effect.round, effect.snapshot.cause)
            self._pushes.put(effect)
        elif isinstance(effect, states.ShowLive):
            self.screen.live(effect, self._last_push_ms)
            self._tail.push_ends()
            if self._on_first_live is not None:
                self._on_first_live()
                self._on_first_live = None
        elif isinstance(effect, states.ShowBlocked):
            self.screen.blocked(effect)
            self._tail.push_ends()
        elif isinstance(effect, states.ShowError):
            self.screen.error(effect.error)
        elif isinstance(effect, states.Retry):
            timer = threading.Timer(effect.delay_s, self.send, (states.RetryDue(effect.round),))
            timer.daemon = True
            timer.start()
        elif isinstance(effect, states.StartJob):
            job = threading.Thread(target=self._job, args=(effect,), daemon=True, name=effect.job)
            job.start()
        elif isinstance(effect, states.StartCompanion):
            self._start_companion()

    _last_push_ms: float = 0.0

    def _push_forever(self) -> None:
        while True:
            wanted = self._pushes.get()
            if wanted is None:
                return
            started = time.perf_counter()
            try:
                result = self._push(wanted)
            except Error as error:
                word = "env" if error.code == "EnvMissing" else getattr(error, "retry_on", "files")
                retry_on = states.retry_on_of(word)
                self.send(states.PushFailed(wanted.round, self._ctx.shown(error), retry_on))
            except KeyboardInterrupt:
                self.send(states.Ended(errors.INTERRUPTED))  # Ctrl-C at a question of this thread
            except Exception as error:  # noqa: BLE001 - the edge of this thread; it is shown and reported
                self.send(states.Ended(errors.BUG, errors.shown(errors.report_bug(error, "dev"))))
            else:
                self._last_push_ms = (time.perf_counter() - started) * 1000
                self.send(states.PushDone(wanted.round, result))

    def _push(self, wanted: states.StartPush) -> Any:
        if wanted.snapshot.cause == "settings" or "settings" in wanted.snapshot.changed:
            self._project = open_project(self._project.root)
        self._check_required()
        if self._settings.typecheck == "enable":
            jobs.hold_back_type_errors(self._project, self._checker)
        everything = self._settings.push_all and wanted.round == 1
        files = wanted.snapshot.files
        if self._consenting is not None:
            return self._consenting.push(self._project, files, everything=everything)
        return self._client.push(files, self._project.push_config, everything=everything)

    def _check_required(self) -> None:
        required = self._project.config.required_env
        if not required or self._required_seen:
            return
        present = self._client.environment()
        missing = [name for name in required if not present.get(name)]
        if missing:
            raise errors.Failure(
                "EnvMissing",
                f"required and not set on {self._target.name}: {', '.join(missing)}",
                hint=f"convexpy env set {missing[0]}",
            )
        self._required_seen = True

    # Jobs beside the loop

    def _job(self, effect: states.StartJob) -> None:
        work = {"codegen": self._codegen, "typecheck": self._typecheck, "run": self._run_function}[effect.job]
        exit_code = 0
        try:
            with closing(self._client.clone()) as client:
                if effect.job == "run":
                    work(client)
                else:
                    self._latest[effect.job].run(lambda: work(client))
        except Error as error:
            shown = self._ctx.shown(error)
            if effect.job == "run":
                exit_code = errors.FAILED
                self.screen.error(shown)
            else:
                self._ctx.output.warn(f"{effect.job}: {shown['message']}")
        finally:
            self.send(states.JobDone(effect.job, effect.round, exit_code))

    def _codegen(self, client: AdminClient) -> None:
        self.screen.codegen(jobs.generate(self._project, client))

    def _typecheck(self, _client: AdminClient) -> None:
        assert self._checker is not None  # else the job is not started
        self.screen.check(run_checker(self._project, self._checker))

    def _run_function(self, client: AdminClient) -> None:
        assert self._settings.function is not None  # else the job is not started
        function, value = call.run_line(self._ctx, client, self._settings.function)
        self._ctx.output.event("ran", function=function, value=value)

    def _start_companion(self) -> None:
        if self._companion is None:
            root = self._project.root
            file = root / self._project.config.client_file
            variables = client_variables(root, Path(file), self._target.url, self._target.site_url or "")
            self._companion = Companion(
                self._settings.start,
                root,
                variables,
                lambda code: self.send(states.Ended(code)),
                beside_events=self._ctx.settings.machine,
            )
