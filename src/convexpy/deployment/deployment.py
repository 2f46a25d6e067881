"""One running deployment: the composition root, where every part is made from what it uses, its start and its stop."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import msgspec

from convexpy._version import __version__
from convexpy.access import AdminKeys, Sealer, TokenVerifier
from convexpy.database import CommitOutcomes, GroupCommitter
from convexpy.deployment.data_folder import Storage
from convexpy.deployment.settings import DeploymentSettings
from convexpy.engine.action_requests import ActionRequests
from convexpy.engine.actions import ActionDispatcher
from convexpy.engine.background import BackgroundTasks
from convexpy.engine.call_log import CallLog
from convexpy.engine.checkpoints import CheckpointService
from convexpy.engine.function_runner import FunctionRunner
from convexpy.engine.history import History
from convexpy.engine.http_actions import HttpActions
from convexpy.engine.identities import Identities
from convexpy.engine.mutations import MutationPipeline
from convexpy.engine.outcome import Presenter
from convexpy.engine.queries import QueryDispatcher
from convexpy.engine.query_cache import QueryCache
from convexpy.engine.sweeper import Sweeper
from convexpy.engine.system_functions import SystemFunctions
from convexpy.engine.timeline import LogTimeline, TailRow
from convexpy.engine.versions import Dispatcher, LiveVersion
from convexpy.executors.starter import ForkStarter, Starter
from convexpy.protocol.derived_keys import code_key, cursor_key, upload_key
from convexpy.protocol.executor_settings import ExecutorSettings
from convexpy.protocol.system.variables import UpdateVariables, VariableChange
from convexpy.runtime import Clock, Signal, SystemClock
from convexpy.services.files.service import FileService
from convexpy.services.keys.keyring import Keyring
from convexpy.services.keys.new_keys import NewKeys
from convexpy.services.logs import FunctionLog
from convexpy.services.logs.statistics_file import StatisticsKeeper
from convexpy.services.pushes.active_app import ActiveApp
from convexpy.services.pushes.dependencies import Dependencies
from convexpy.services.pushes.kept import KeptVersions
from convexpy.services.pushes.plan import Planner
from convexpy.services.pushes.push import Pusher
from convexpy.services.pushes.sources import SourceStore
from convexpy.services.scheduling.service import SchedulingService
from convexpy.services.tokens.issuer import TokenIssuer
from convexpy.services.transfers.exports import Exports
from convexpy.services.transfers.imports import Imports
from convexpy.services.variables.service import DEVELOPMENT, Variables
from convexpy.sync import Hub

logger: logging.Logger = logging.getLogger("convexpy.deployment")


class Deployment:
    """A backend. Everything runs on one event loop; durable work is in threads and processes below."""

    def __init__(
        self,
        storage: Storage,
        settings: DeploymentSettings,
        *,
        on_fatal: Callable[[BaseException], None],
        starter: Starter | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Make every part over an opened store, on the event loop; nothing runs until `start`.

        `on_fatal` ends the process when the outcome of a commit is unknown: nobody is answered any more.
        """
        knobs, start, recovered = settings.knobs, storage.start_state, storage.recovered
        self.settings = settings
        self.storage = storage
        self._on_fatal = on_fatal
        self.clock: Clock | SystemClock
        self.clock = clock = clock or SystemClock()
        self.starter: Starter | ForkStarter
        self.starter = starter = starter or ForkStarter()
        self.background: BackgroundTasks
        self.background = background = BackgroundTasks()
        next_call = itertools.count(1).__next__
        uploads = upload_key(settings.instance_secret)

        # The log, and what follows it

        self.timeline: LogTimeline
        self.timeline = timeline = LogTimeline(
            recovered.rows, recovered.checkpoint_seq, recovered.seq, recovered.ts
        )
        committed: Signal[[TailRow]] = Signal()
        executor_needed: Signal[[Dispatcher]] = Signal()
        schema_violations: list[str] = []
        self.log: FunctionLog
        self.log = log = FunctionLog()
        call_log = CallLog(log)

        def open_committer(outcomes: CommitOutcomes) -> GroupCommitter:
            return GroupCommitter(
                storage.log,
                outcomes,
                seq=recovered.seq,
                ts=recovered.ts,
                max_creation_time=recovered.max_creation_time,
                clock=clock,
                call_soon=asyncio.get_running_loop().call_soon_threadsafe,
                group_bytes_max=knobs.group_bytes_max,
            )

        # The engine

        slow_mutations = QueryDispatcher(
            timeline, knobs, need_executor=partial(executor_needed, "slow mutations")
        )
        mutations = MutationPipeline(
            timeline,
            knobs,
            open_committer=open_committer,
            committed=committed,
            on_schema_violations=schema_violations.extend,
            on_fatal=on_fatal,
            need_executor=partial(executor_needed, "mutations"),
            slow_mutations=slow_mutations,
        )
        queries = QueryDispatcher(timeline, knobs, need_executor=partial(executor_needed, "queries"))
        requests = ActionRequests()
        actions = ActionDispatcher(
            knobs,
            requests.serve,
            need_executor=partial(executor_needed, "actions"),
            on_progress=call_log.progress,
        )
        self.live: LiveVersion
        self.live = live = LiveVersion(
            knobs=knobs,
            mutations=mutations,
            slow_mutations=slow_mutations,
            queries=queries,
            actions=actions,
            executor_needed=executor_needed,
            checkpoint_seq=lambda: timeline.checkpoint_seq,
        )

        def checkpoint_moved(seq: int) -> None:
            timeline.checkpointed(seq)
            mutations.committer.trim(
                seq,
                rows_kept=knobs.log_rows_kept,
                bytes_kept=knobs.log_bytes_kept,
                after_ts=timeline.ts - round(knobs.history_s * 1e9),
            )
            mutations.checkpointed(seq)
            slow_mutations.checkpointed(seq)
            queries.checkpointed(seq)

        self.checkpoints: CheckpointService = CheckpointService(
            storage, timeline, knobs, clock, moved=checkpoint_moved
        )
        self.system: SystemFunctions = SystemFunctions(
            mutations=mutations, queries=queries, next_call=next_call, clock=clock
        )
        sweeper = Sweeper(checkpoints=self.checkpoints, system=self.system)
        sealer = Sealer(settings.secret_key, storage.deployment_id)
        self.variables: Variables = Variables(sealer, start.environment)
        self.keyring: Keyring = Keyring(
            keys=AdminKeys(
                settings.name,
                settings.instance_secret,
                first_key=settings.admin_key,
                literal_keys=settings.literal_keys,
            ),
            records=start.admin_keys,
            new_keys=NewKeys(storage.folder, settings.instance_secret),
            system=self.system,
            background=background,
            clock=clock,
        )
        self.issuer: TokenIssuer = TokenIssuer(
            address=settings.site_url,
            code_key=code_key(settings.instance_secret),
            sealer=sealer,
            stored=start.signing_keys,
            system=self.system,
            clock=clock,
        )
        self.identities: Identities = Identities(
            keys=self.keyring,
            tokens=TokenVerifier(development=not settings.redact, now=self.issuer.now_s, own=self.issuer.own),
        )
        query_cache = QueryCache(timeline, bytes_max=knobs.query_cache_bytes)
        self.functions: FunctionRunner = FunctionRunner(
            live=live,
            timeline=timeline,
            cache=query_cache,
            log=call_log,
            presenter=Presenter(redact=settings.redact),
            authenticate=self.identities.authenticate,
            open_variables=self.variables.opened,
            next_call=next_call,
            clock=clock,
        )
        self.http_actions: HttpActions = HttpActions(
            live=live, log=call_log, redact=settings.redact, next_call=next_call, clock=clock
        )
        self.hub: Hub = Hub(timeline, self.functions)

        # The services

        self.files: FileService = FileService(
            blobs=storage.blobs,
            system=self.system,
            background=background,
            clock=clock,
            deployment=settings.name,
            cloud_url=settings.cloud_url,
            upload_key=uploads,
            size_max=knobs.file_bytes,
        )
        self.scheduling: SchedulingService = SchedulingService(
            knobs=knobs, live=live, system=self.system, log=call_log, next_call=next_call, clock=clock
        )
        self.sources: SourceStore = SourceStore(storage.folder / "versions")
        for source in start.sources.values():
            self.sources.add(source)
        built_in = {"CONVEX_CLOUD_URL": settings.cloud_url, "CONVEX_SITE_URL": settings.site_url}
        if settings.development:
            built_in[DEVELOPMENT] = "1"
        self.app: ActiveApp
        self.app = app = ActiveApp(
            active=start.active,
            template=ExecutorSettings(
                version=0,
                folder="",
                label=settings.label,
                code_cache=str(self.sources.code_cache),
                data_address=storage.address,
                data_folder=str(storage.folder),
                cloud_url=settings.cloud_url,
                site_url=settings.site_url,
                upload_key=uploads,
                cursor_key=cursor_key(settings.instance_secret),
                name=settings.name,
                spool=str(storage.blobs.spool),
                debugger=settings.debugger,
                editor=settings.editor,
                knobs=knobs,
            ),
            built_in=built_in,
            variables=self.variables,
            sources=self.sources,
            dependencies=Dependencies(storage.folder / "env", install=settings.install_packages),
            starter=starter,
            live=live,
            trust=self.identities.trust,
            background=background,
        )
        self.pusher: Pusher = Pusher(
            app=app,
            live=live,
            planner=Planner(
                app=app,
                checkpoints=self.checkpoints,
                reading=storage.reading,
                variables=self.variables,
                calls=log.statistics.calls,
            ),
            sources=self.sources,
            kept=KeptVersions(sources=self.sources, versions=start.versions),
            kept_sources=start.sources,
            variables=self.variables,
            system=self.system,
            checkpoints=self.checkpoints,
            unfinished=start.building,
            sweep_data=sweeper.sweep,
            schema_violations=schema_violations,
            background=background,
            clock=clock,
            deployment=settings.name,
        )

        def manifest() -> dict[str, Any]:
            """Return what a backup has beside the data: never the value of a variable."""
            return {
                "convexpy": __version__,
                "deployment": settings.name,
                "codeVersion": app.active.version,
                "modules": app.active.modules,
                "schema": msgspec.to_builtins(live.registry.description.schema),
                "environmentVariables": sorted(self.variables.values),
            }

        self.exports: Exports = Exports(
            data_folder=storage.folder,
            data_address=storage.address,
            system=self.system,
            files=self.files,
            checkpoints=self.checkpoints,
            background=background,
            clock=clock,
            manifest=manifest,
        )
        self.imports: Imports = Imports(
            data_folder=storage.folder,
            in_memory=storage.in_memory,
            system=self.system,
            files=self.files,
            checkpoints=self.checkpoints,
            reading=storage.reading,
            schema=lambda: live.registry.description.schema,
            version_lock=app.lock,
            sweep=sweeper.sweep,
            background=background,
            clock=clock,
            tail_bytes_max=knobs.tail_checkpoint_bytes,
        )

        # Who acts on what

        requests.register("call", self.functions.serve)
        requests.register("http", self.http_actions.serve)
        requests.register("storage", self.files.serve)
        requests.register("schedule", self.scheduling.serve)
        requests.register("token", self.issuer.serve)
        requests.register("cancel", self.scheduling.serve)
        committed.connect(queries.row)
        committed.connect(slow_mutations.row)
        committed.connect(self.scheduling.row)
        committed.connect(self.checkpoints.row)
        committed.connect(lambda row: self.hub.committed(row.keys))
        app.changed.connect(query_cache.clear)
        app.changed.connect(self.hub.invalidate_all)
        app.pushed.connect(self.scheduling.resume)
        app.pushed.connect(lambda: background.start(sweeper.sweep()))
        self.history: History = History(log=storage.log, timeline=timeline)
        self.statistics: StatisticsKeeper = StatisticsKeeper(storage.folder, log.statistics)

    async def start(self) -> None:
        """Start the executors of the active version; ready to serve when this returns."""
        loop = asyncio.get_running_loop()

        def lost(error: BaseException) -> None:
            loop.call_soon_threadsafe(self._lost, error)

        self.storage.watch(lost)
        await self.checkpoints.start()
        self.live.mutations.committer.start()
        loads = await self.app.start()
        self.background.start(self.statistics.write_regularly())
        if self.variables.has_plain:
            await self.system.run(self.variables.sealed_again())
        await self.pusher.resume()
        await self.files.start()
        await self.exports.start()
        await self.imports.start()
        await self.scheduling.start(runs=loads)
        self.pusher.sweep()

    def _lost(self, error: BaseException) -> None:
        logger.critical("stopping: %s", error)
        self._on_fatal(error)

    async def close(self, grace_s: float | None = None) -> None:
        """Stop: finish or cut calls, write the last group, make a full checkpoint, end the children.

        Mutations have `grace_s` to end, by default the knob `stop_grace_s`.
        """
        await self.scheduling.close()
        await self.exports.close()
        await self.imports.close()
        idle = asyncio.Event()
        mutations = self.live.mutations
        mutations.close_gate(idle.set, stopping=True)
        try:
            async with asyncio.timeout(self.settings.knobs.stop_grace_s if grace_s is None else grace_s):
                await idle.wait()
        except TimeoutError:
            logger.warning("mutations were still running at the end of the grace period")
        mutations.abandon("ShuttingDown", "the deployment is shutting down")
        self.log.close()
        await self.background.close()
        await self.identities.close()
        await self.live.actions.close()
        await self.live.close()
        await self.starter.close()
        await asyncio.to_thread(mutations.committer.stop)
        await self.checkpoints.close()
        await self.files.close()
        await self.statistics.write()
        self.storage.close()

    async def set_variables(self, changes: Iterable[VariableChange]) -> None:
        """Set and remove variables; functions see them in fresh executors, every query runs again."""
        self.variables.take(await self.system.run(UpdateVariables(self.variables.sealed(changes))))
        await self.app.restart()
