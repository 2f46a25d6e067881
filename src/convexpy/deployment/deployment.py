"""The composition root: one running deployment, from its data folder to its subscriptions."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from convexpy.auth import AdminKeys, TokenVerifier
from convexpy.database import GroupCommitter
from convexpy.deployment.data_folder import Storage
from convexpy.deployment.start_state import ActiveVersion, StartState
from convexpy.engine.actions import ActionDispatcher
from convexpy.engine.checkpoints import CheckpointService
from convexpy.engine.function_runner import FunctionRunner
from convexpy.engine.history import History
from convexpy.engine.http_actions import HttpActions
from convexpy.engine.identities import Identities
from convexpy.engine.mutations import MutationPipeline
from convexpy.engine.outcome import Presenter, failed
from convexpy.engine.queries import QueryDispatcher
from convexpy.engine.system_functions import SystemFunctions
from convexpy.engine.timeline import LogTimeline, TailRow
from convexpy.engine.versions import LiveVersion
from convexpy.errors import Error, Unavailable
from convexpy.executors.starter import ForkStarter, Starter
from convexpy.limits import Knobs
from convexpy.protocol.derived_keys import cursor_key, upload_key
from convexpy.protocol.executor_settings import ExecutorSettings
from convexpy.runtime import Clock, SystemClock
from convexpy.services.data.tables import Tables
from convexpy.services.files.service import FileService
from convexpy.services.keys.keyring import Keyring
from convexpy.services.logs import FunctionLog
from convexpy.services.logs.statistics_file import StatisticsKeeper
from convexpy.services.pushes.dependencies import Dependencies
from convexpy.services.pushes.index_builds import IndexBuilds
from convexpy.services.pushes.push import PushConfig, Pusher, stage_indexes
from convexpy.services.pushes.sources import SourceStore
from convexpy.services.scheduling.service import SchedulingService
from convexpy.services.transfers.exports import Exports
from convexpy.services.transfers.imports import Imports
from convexpy.services.variables.service import BUILT_IN, DEVELOPMENT, Variables
from convexpy.sync import Hub

logger = logging.getLogger("convexpy.deployment")


@dataclass
class DeploymentSettings:
    """What a deployment is told when it starts. `literal_keys` open everything: none but by explicit setting."""

    name: str
    instance_secret: str
    cloud_url: str
    site_url: str
    knobs: Knobs = field(default_factory=Knobs)
    redact: bool = False
    development: bool = False
    label: str = "convex"
    admin_key: str = ""
    literal_keys: tuple[str, ...] = ()
    secret_key: bytes | None = None
    install_packages: bool = False
    debugger: str = ""
    editor: str = ""


class FatalHandler(Protocol):
    """Ends the process when the outcome of a commit is unknown."""

    def __call__(self, error: BaseException) -> None:
        """Answer nobody and stop."""
        ...


class Deployment:
    """One running backend. Everything runs on one event loop; durable work is in threads and processes below."""

    def __init__(
        self,
        storage: Storage,
        settings: DeploymentSettings,
        *,
        on_fatal: FatalHandler,
        starter: Starter | None = None,
        clock: Clock | None = None,
    ) -> None:
        loop = asyncio.get_running_loop()
        self.settings = settings
        self.clock = clock or SystemClock()
        self.storage = storage
        self.misfits: list[str] = []
        self.version_lock = asyncio.Lock()
        """Held from the start of a version until it is live: what starts meanwhile would be of an older one."""
        self.starter: Starter = starter or ForkStarter()
        self.log = FunctionLog()
        self.statistics = StatisticsKeeper(storage.folder, self.log.statistics)
        self._on_fatal = on_fatal
        self._tasks: set[asyncio.Task[Any]] = set()
        recovered = storage.recovered
        self.timeline = LogTimeline(recovered.rows, recovered.checkpoint_seq, recovered.seq, recovered.ts)
        self.history = History(log=storage.log, timeline=self.timeline)
        self.sources = SourceStore(storage.folder / "versions")
        self.dependencies = Dependencies(storage.folder / "env", install=settings.install_packages)
        start: StartState = storage.start_state
        self.active: ActiveVersion = start.active
        self.variables = Variables(settings.secret_key, storage.deployment_id, start.environment)
        for source in start.sources.values():
            self.sources.add(source)
        knobs = settings.knobs
        keys = AdminKeys(
            settings.name,
            settings.instance_secret,
            first_key=settings.admin_key,
            literal_keys=settings.literal_keys,
        )
        self.keyring = Keyring(self, keys, start.admin_keys)
        self.tokens = TokenVerifier(development=not settings.redact)
        self._providers: list[dict[str, Any]] = []
        self.on_providers_changed: Callable[[], None] = _nothing
        self.on_key_revoked: Callable[[str], None] = _nothing
        self.identities = Identities(self.keyring, self.tokens)
        self.live = LiveVersion(knobs)
        self.functions = FunctionRunner(self, self.log, Presenter(redact=settings.redact), self.identities)
        self.http_actions = HttpActions(self)
        self.files = FileService(self, storage.blobs)
        self.exports = Exports(self)
        self.imports = Imports(self)
        self.system = SystemFunctions(self)
        self.tables = Tables(self)
        self.scheduling = SchedulingService(self)
        self.hub = Hub(self.timeline, self.functions)
        need = self.live.need
        mutations = MutationPipeline(
            self.timeline,
            knobs,
            on_row=self._row,
            on_misfits=self.misfits.extend,
            on_fatal=self._outcome_unknown,
            need_executor=lambda: need("mutations"),
        )
        self.committer = mutations.committer = GroupCommitter(
            storage.log,
            mutations,
            seq=recovered.seq,
            ts=recovered.ts,
            max_creation_time=recovered.max_creation_time,
            clock=self.clock,
            call_soon=loop.call_soon_threadsafe,
            group_bytes_max=knobs.group_bytes_max,
        )
        self.live.connect(
            mutations,
            QueryDispatcher(self.timeline, knobs, need_executor=lambda: need("queries")),
            ActionDispatcher(
                knobs,
                self.functions.serve_action,
                need_executor=lambda: need("actions"),
                on_progress=self.functions.progress,
            ),
            lambda: self.timeline.checkpoint_seq,
        )
        self.checkpoints = CheckpointService(
            storage,
            self.timeline,
            knobs,
            self.clock,
            oldest_row=lambda: self.live.queries.oldest_row,
            moved=self.checkpoint_moved,
        )
        self.builds = IndexBuilds(self, start.building)
        self.pusher = Pusher(self, start.sources)

    # Start and stop

    async def start(self) -> None:
        """Start the executors of the active version; ready to serve when this returns."""
        await self.checkpoints.start()
        self.committer.start()
        number, modules = self.active.version, self.active.modules
        folder = await asyncio.to_thread(self.sources.materialise, number, modules)
        await asyncio.to_thread(self.sources.sweep, number)
        settings = self.executor_settings(number, str(folder), self.active.config)
        loads = True
        try:
            environment = await self.version_environment(modules, folder)
            handle = await self.starter.start_version(settings, environment)
            self.dependencies.activated(modules, folder)
        except Error as error:
            loads = False
            # The data is fine and a push can repair the code: serve an empty app until then.
            logger.error("the active version does not load, serving nothing until a push: %s", error)
            empty = await asyncio.to_thread(self.sources.materialise, 0, {})
            settings = self.executor_settings(0, str(empty), PushConfig())
            self.active.config = PushConfig(label="")
            environment = await self.version_environment({}, empty)
            handle = await self.starter.start_version(settings, environment)

        async def nothing() -> None:
            """Activate nothing: the version is active in the data already."""

        await self.live.switch(handle, nothing)
        stage_indexes(handle.description, self.active.config)
        self.statistics.start()
        self._trust(handle.description["auth"])
        self.schedule_warm(handle.description["packages"])
        if self.variables.has_plain:
            await self.system.run("_system/environment:update", self.variables.sealed_again())
        await self.builds.resume(handle.description["schema"])
        await self.files.start()
        await self.exports.start()
        await self.imports.start()
        await self.scheduling.start(runs=loads)
        self.pusher.sweep()

    async def close(self, grace_s: float | None = None) -> None:
        """Stop: finish or cut calls, write the last group, make a full checkpoint, end the children.

        Mutations have `grace_s` to end, by default the knob `stop_grace_s`.
        """
        await self.scheduling.close()
        await self.exports.close()
        await self.imports.close()
        idle = asyncio.Event()
        self.live.mutations.close_gate(idle.set)
        try:
            async with asyncio.timeout(self.settings.knobs.stop_grace_s if grace_s is None else grace_s):
                await idle.wait()
        except TimeoutError:
            logger.warning("mutations were still running at the end of the grace period")
        self.live.mutations.abandon(failed("ShuttingDown", "the deployment is shutting down"))
        self.log.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.identities.close()
        await self.live.actions.close()
        await self.live.close()
        await self.starter.close()
        await asyncio.to_thread(self.committer.stop)
        await self.checkpoints.close()
        await self.files.close()
        await self.statistics.close()
        self.storage.close()

    # Commits

    def _row(self, row: TailRow) -> None:
        self.live.queries.row(row)
        self.scheduling.row(row)
        self.checkpoints.row(row)
        self.hub.committed(row.keys)

    def checkpoint_moved(self, seq: int) -> None:
        """The checkpoint covers every row up to `seq`: say so to all who keep rows until then."""
        self.timeline.checkpointed(seq)
        knobs = self.settings.knobs
        self.committer.trim(
            seq,
            rows_kept=knobs.log_rows_kept,
            bytes_kept=knobs.log_bytes_kept,
            after_ts=self.timeline.ts - round(knobs.history_s * 1e9),
        )
        self.live.mutations.checkpointed(seq)
        self.live.queries.checkpointed(seq)

    def _outcome_unknown(self, error: BaseException) -> None:
        logger.critical("the outcome of a commit is unknown, stopping: %s", error)
        self._on_fatal(error)

    def raise_ts(self, ts: int) -> None:
        """Make later commits later than `ts`, which a client has seen."""
        self.committer.raise_ts(ts)
        self.timeline.ts = max(self.timeline.ts, ts)

    # What push and administration need

    def functions_environment(self) -> dict[str, str]:
        """Return the variables that functions see."""
        built_in = {"CONVEX_CLOUD_URL": self.settings.cloud_url, "CONVEX_SITE_URL": self.settings.site_url}
        if self.settings.development:
            built_in[DEVELOPMENT] = "1"
        stored = {name: value for name, value in self.variables.values.items() if name not in BUILT_IN}
        return {**stored, **built_in}

    async def version_environment(self, modules: dict[str, str], folder: Path) -> dict[str, str]:
        """Return the environment of the processes of a version; its packages are installed when this returns."""
        return {**self.functions_environment(), **await self.dependencies.prepare(modules, folder)}

    def executor_settings(self, version: int, folder: str, config: PushConfig) -> ExecutorSettings:
        """Return what executors of a version are told."""
        return ExecutorSettings(
            version=version,
            folder=folder,
            label=config.label or self.settings.label,
            camel=config.function_case == "camel",
            code_cache=str(self.sources.code_cache),
            data_path=str(self.storage.folder),
            cloud_url=self.settings.cloud_url,
            site_url=self.settings.site_url,
            upload_key=upload_key(self.settings.instance_secret),
            cursor_key=cursor_key(self.settings.instance_secret),
            name=self.settings.name,
            spool=str(self.storage.blobs.spool),
            debugger=self.settings.debugger,
            editor=self.settings.editor,
            knobs=self.settings.knobs,
        )

    def activated(
        self, version: int, modules: dict[str, str], config: PushConfig, pushed: dict[str, Any]
    ) -> None:
        """A pushed version is live: every subscription runs again."""
        old = self.active.version
        self.active = ActiveVersion(version, modules, config, pushed)
        self._trust(self.live.registry.description["auth"])
        self.dependencies.activated(modules, self.sources.folder_of(version))
        self.hub.invalidate_all()
        self.scheduling.resume()
        self.in_background(self.sweep())
        if old != version:
            self.in_background(asyncio.to_thread(self.sources.sweep, version))

    def _trust(self, providers: list[dict[str, Any]]) -> None:
        """Take tokens of these issuers from now on; who is signed in by another one is not any more."""
        if providers != self._providers:
            self._providers = providers
            self.tokens.configure(providers)
            self.on_providers_changed()

    async def sweep(self) -> None:
        """Remove what the active version no longer names: first the contents, then what held their numbers."""
        await self.checkpoints.reach(self.timeline.row)
        await self.checkpoints.sweep()
        await self.system.run("_system/push:forgetDeleted", b"{}")

    async def update_environment(self, changes: list[dict[str, str | None]]) -> None:
        """Set and remove variables; functions see them in fresh executors, every query runs again."""
        sealed = self.variables.sealed_changes(changes)
        outcome = await self.system.run("_system/environment:update", sealed)
        self.variables.take(outcome.value)
        async with self.version_lock:
            await self._restart_version()

    async def _restart_version(self) -> None:
        folder = self.sources.folder_of(self.active.version)
        settings = self.executor_settings(self.active.version, str(folder), self.active.config)
        environment = await self.version_environment(self.active.modules, folder)
        handle = await self.starter.start_version(settings, environment)

        async def nothing() -> None:
            """Activate nothing: only the variables have changed."""

        stage_indexes(handle.description, self.active.config)
        await self.live.switch(handle, nothing)
        self._trust(handle.description["auth"])
        self.hub.invalidate_all()

    async def checkpoint(self, *, at_least: int) -> None:
        """Have the checkpoint reach a row."""
        await self.checkpoints.reach(at_least)

    async def walk(self, indexes: list[dict[str, Any]], schema: dict[str, Any]) -> None:
        """Enter stored documents into new indexes and check them against a schema."""
        await self.checkpoints.walk(indexes, schema)

    def schedule_warm(self, packages: list[str]) -> None:
        """Have the app's third-party packages imported ahead of the next push."""
        if isinstance(self.starter, ForkStarter):
            self.in_background(self._warm(self.starter, packages))

    @staticmethod
    async def _warm(starter: ForkStarter, packages: list[str]) -> None:
        try:
            await starter.warm(packages)
        except (Unavailable, TimeoutError) as error:
            logger.warning("packages could not be imported ahead: %s", error)

    def in_background(self, work: Any) -> None:
        """Run a coroutine beside everything else; a failure is logged, the end of the deployment cancels it."""
        task = asyncio.get_running_loop().create_task(_logged(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _nothing(*_: object) -> None:
    """Stand in until the sockets listen."""


async def _logged(work: Any) -> None:
    try:
        await work
    except Exception:
        logger.exception("a background task failed")
