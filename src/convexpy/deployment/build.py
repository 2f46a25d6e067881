"""The composition root: every part of a deployment is made here, from what it uses."""

from __future__ import annotations

import asyncio
import itertools
from functools import partial
from typing import Any, Protocol

import msgspec

from convexpy._version import __version__
from convexpy.auth import AdminKeys, TokenVerifier
from convexpy.database import CommitOutcomes, GroupCommitter
from convexpy.deployment.data_folder import Storage
from convexpy.deployment.deployment import Deployment
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
from convexpy.engine.sweeper import Sweeper
from convexpy.engine.system_functions import SystemFunctions
from convexpy.engine.timeline import LogTimeline, TailRow
from convexpy.engine.versions import Dispatcher, LiveVersion
from convexpy.executors.starter import ForkStarter, Starter
from convexpy.protocol.derived_keys import cursor_key, upload_key
from convexpy.protocol.executor_settings import ExecutorSettings
from convexpy.runtime import Clock, Signal, SystemClock
from convexpy.services.data.tables import Tables
from convexpy.services.files.service import FileService
from convexpy.services.keys.keyring import Keyring
from convexpy.services.keys.new_keys import NewKeys
from convexpy.services.logs import FunctionLog
from convexpy.services.logs.statistics_file import StatisticsKeeper
from convexpy.services.pushes.active_app import ActiveApp
from convexpy.services.pushes.dependencies import Dependencies
from convexpy.services.pushes.index_builds import IndexBuilds
from convexpy.services.pushes.plan import Planner
from convexpy.services.pushes.push import Pusher
from convexpy.services.pushes.sources import SourceStore
from convexpy.services.scheduling.service import SchedulingService
from convexpy.services.transfers.exports import Exports
from convexpy.services.transfers.imports import Imports
from convexpy.services.variables.service import DEVELOPMENT, Variables
from convexpy.sync import Hub


class FatalHandler(Protocol):
    """Ends the process when the outcome of a commit is unknown."""

    def __call__(self, error: BaseException) -> None:
        """Answer nobody and stop."""
        ...


def build_deployment(
    storage: Storage,
    settings: DeploymentSettings,
    *,
    on_fatal: FatalHandler,
    starter: Starter | None = None,
    clock: Clock | None = None,
) -> Deployment:
    """Return a deployment over an opened store; nothing runs until its `start`. Call it on the event loop."""
    knobs, start, recovered = settings.knobs, storage.start_state, storage.recovered
    clock = clock or SystemClock()
    starter = starter or ForkStarter()
    background = BackgroundTasks()
    next_call = itertools.count(1).__next__
    uploads = upload_key(settings.instance_secret)

    # The log, and what follows it

    timeline = LogTimeline(recovered.rows, recovered.checkpoint_seq, recovered.seq, recovered.ts)
    committed: Signal[[TailRow]] = Signal()
    executor_needed: Signal[[Dispatcher]] = Signal()
    schema_violations: list[str] = []
    log = FunctionLog()
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

    mutations = MutationPipeline(
        timeline,
        knobs,
        open_committer=open_committer,
        committed=committed,
        on_schema_violations=schema_violations.extend,
        on_fatal=on_fatal,
        need_executor=partial(executor_needed, "mutations"),
    )
    queries = QueryDispatcher(timeline, knobs, need_executor=partial(executor_needed, "queries"))
    requests = ActionRequests()
    actions = ActionDispatcher(
        knobs,
        requests.serve,
        need_executor=partial(executor_needed, "actions"),
        on_progress=call_log.progress,
    )
    live = LiveVersion(
        knobs=knobs,
        mutations=mutations,
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
        queries.checkpointed(seq)

    checkpoints = CheckpointService(
        storage, timeline, knobs, clock, oldest_row=lambda: queries.oldest_row, moved=checkpoint_moved
    )
    system = SystemFunctions(mutations=mutations, queries=queries, next_call=next_call, clock=clock)
    sweeper = Sweeper(checkpoints=checkpoints, system=system)
    variables = Variables(settings.secret_key, storage.deployment_id, start.environment)
    keyring = Keyring(
        keys=AdminKeys(
            settings.name,
            settings.instance_secret,
            first_key=settings.admin_key,
            literal_keys=settings.literal_keys,
        ),
        records=start.admin_keys,
        new_keys=NewKeys(storage.folder, settings.instance_secret),
        system=system,
        background=background,
        clock=clock,
    )
    identities = Identities(keys=keyring, tokens=TokenVerifier(development=not settings.redact))
    functions = FunctionRunner(
        live=live,
        timeline=timeline,
        log=call_log,
        presenter=Presenter(redact=settings.redact),
        authenticate=identities.authenticate,
        open_variables=variables.opened,
        next_call=next_call,
        clock=clock,
    )
    http_actions = HttpActions(
        live=live, log=call_log, redact=settings.redact, next_call=next_call, clock=clock
    )
    hub = Hub(timeline, functions)

    # The services

    files = FileService(
        blobs=storage.blobs,
        system=system,
        background=background,
        clock=clock,
        deployment=settings.name,
        cloud_url=settings.cloud_url,
        upload_key=uploads,
        size_max=knobs.file_bytes,
    )
    scheduling = SchedulingService(
        knobs=knobs, live=live, system=system, log=call_log, next_call=next_call, clock=clock
    )
    sources = SourceStore(storage.folder / "versions")
    for source in start.sources.values():
        sources.add(source)
    built_in = {"CONVEX_CLOUD_URL": settings.cloud_url, "CONVEX_SITE_URL": settings.site_url}
    if settings.development:
        built_in[DEVELOPMENT] = "1"
    app = ActiveApp(
        active=start.active,
        template=ExecutorSettings(
            version=0,
            folder="",
            label=settings.label,
            code_cache=str(sources.code_cache),
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
        variables=variables,
        sources=sources,
        dependencies=Dependencies(storage.folder / "env", install=settings.install_packages),
        starter=starter,
        live=live,
        trust=identities.trust,
        background=background,
    )
    builds = IndexBuilds(
        unfinished=start.building,
        system=system,
        checkpoints=checkpoints,
        sweep=sweeper.sweep,
        background=background,
    )
    pusher = Pusher(
        app=app,
        live=live,
        planner=Planner(
            app=app,
            checkpoints=checkpoints,
            open_reader=storage.reader,
            variables=variables,
            calls=log.statistics.calls,
        ),
        sources=sources,
        kept_sources=start.sources,
        variables=variables,
        system=system,
        checkpoints=checkpoints,
        builds=builds,
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
            "environmentVariables": sorted(variables.values),
        }

    exports = Exports(
        data_folder=storage.folder,
        data_address=storage.address,
        system=system,
        files=files,
        checkpoints=checkpoints,
        background=background,
        clock=clock,
        manifest=manifest,
    )
    imports = Imports(
        data_folder=storage.folder,
        in_memory=storage.in_memory,
        system=system,
        files=files,
        checkpoints=checkpoints,
        open_reader=storage.reader,
        schema=lambda: live.registry.description.schema,
        version_lock=app.lock,
        sweep=sweeper.sweep,
        background=background,
        clock=clock,
        tail_bytes_max=knobs.tail_checkpoint_bytes,
    )

    # Who acts on what

    requests.register("call", functions.serve)
    requests.register("http", http_actions.serve)
    requests.register("storage", files.serve)
    requests.register("schedule", scheduling.serve)
    requests.register("cancel", scheduling.serve)
    committed.connect(queries.row)
    committed.connect(scheduling.row)
    committed.connect(checkpoints.row)
    committed.connect(lambda row: hub.committed(row.keys))
    app.changed.connect(hub.invalidate_all)
    app.pushed.connect(scheduling.resume)
    app.pushed.connect(lambda: background.start(sweeper.sweep()))

    return Deployment(
        settings=settings,
        storage=storage,
        clock=clock,
        background=background,
        starter=starter,
        timeline=timeline,
        live=live,
        functions=functions,
        http_actions=http_actions,
        system=system,
        history=History(log=storage.log, timeline=timeline),
        hub=hub,
        identities=identities,
        checkpoints=checkpoints,
        log=log,
        statistics=StatisticsKeeper(storage.folder, log.statistics),
        keyring=keyring,
        variables=variables,
        files=files,
        scheduling=scheduling,
        exports=exports,
        imports=imports,
        tables=Tables(system=system, checkpoints=checkpoints, open_reader=storage.reader),
        sources=sources,
        app=app,
        builds=builds,
        pusher=pusher,
    )
