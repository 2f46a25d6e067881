"""The ASGI applications of a deployment: the routes of its services are mounted here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from convexpy.deployment.deployment import Deployment
from convexpy.http import ApiApp, SiteApp
from convexpy.http.function_api import FunctionApi
from convexpy.http.routing import HasRoutes
from convexpy.http.running import RunningRequests
from convexpy.http.socket import Sockets
from convexpy.services.data.routes import DataRoutes
from convexpy.services.files.routes import FileRoutes
from convexpy.services.keys.routes import KeyRoutes
from convexpy.services.logs.routes import LogRoutes, StatisticsRoutes
from convexpy.services.monitoring.health import HealthRoutes
from convexpy.services.monitoring.probes import Probes
from convexpy.services.monitoring.status import StatusRoutes
from convexpy.services.previews.previews import Previews
from convexpy.services.previews.routes import PreviewRoutes
from convexpy.services.pushes.routes import PushRoutes
from convexpy.services.scheduling.routes import SchedulingRoutes
from convexpy.services.tokens.routes import TokenRoutes
from convexpy.services.transfers.routes import ExportRoutes, ImportRoutes
from convexpy.services.variables.routes import VariableRoutes
from convexpy.sync import ActionShares

if TYPE_CHECKING:
    from convexpy.services.monitoring.metrics import Metrics


@dataclass(kw_only=True, eq=False)
class Apps:
    """The applications, and what a stop asks of them."""

    api: ApiApp
    site: SiteApp
    functions: FunctionApi
    probes: Probes
    sockets: Sockets
    running: RunningRequests


def build_apps(deployment: Deployment, previews: Previews | None = None) -> Apps:
    """Return the applications of a deployment; `previews` are those that its server hosts."""
    settings, identities = deployment.settings, deployment.identities
    running = RunningRequests(ActionShares(settings.knobs.actions_running_per_address))
    sockets = Sockets(
        hub=deployment.hub, functions=deployment.functions, knobs=settings.knobs, shares=running.shares
    )
    identities.providers_changed.connect(sockets.sign_in_again)
    deployment.keyring.revoked.connect(sockets.key_revoked)

    def open_metrics() -> Metrics:
        # prometheus_client is imported where somebody asks for metrics.
        from convexpy.services.monitoring.metrics import Metrics

        return Metrics(
            log=deployment.log,
            timeline=deployment.timeline,
            live=deployment.live,
            app=deployment.app,
            hub=deployment.hub,
            agenda=deployment.scheduling.agenda,
            clock=deployment.clock,
            clients=sockets.__len__,
            deployment=settings.name,
        )

    probes = Probes(live=deployment.live, identities=identities, open_metrics=open_metrics)
    functions = FunctionApi(
        functions=deployment.functions,
        identities=identities,
        live=deployment.live,
        timeline=deployment.timeline,
        history=deployment.history,
        shares=running.shares,
    )
    pushes = PushRoutes(
        pusher=deployment.pusher,
        sources=deployment.sources,
        app=deployment.app,
        live=deployment.live,
        system=deployment.system,
        identities=identities,
    )
    variables = VariableRoutes(
        variables=deployment.variables,
        set_variables=deployment.set_variables,
        system=deployment.system,
        identities=identities,
        secret=settings.instance_secret,
    )
    status = StatusRoutes(
        app=deployment.app,
        live=deployment.live,
        checkpoints=deployment.checkpoints,
        system=deployment.system,
        log=deployment.log,
        identities=identities,
        clients=sockets.__len__,
        nodes=deployment.storage.nodes,
        data_folder=deployment.storage.folder,
        deployment=settings.name,
        redacts=settings.redact,
    )
    health = HealthRoutes(
        log=deployment.log,
        timeline=deployment.timeline,
        live=deployment.live,
        hub=deployment.hub,
        agenda=deployment.scheduling.agenda,
        clock=deployment.clock,
        identities=identities,
        clients=sockets.__len__,
    )
    scheduling = SchedulingRoutes(
        system=deployment.system, requests=deployment.scheduling.requests, identities=identities
    )
    services: list[HasRoutes] = [
        functions,
        FileRoutes(files=deployment.files, identities=identities),
        DataRoutes(
            checkpoints=deployment.checkpoints,
            reading=deployment.storage.reading,
            functions=deployment.functions,
            identities=identities,
        ),
        scheduling,
        pushes,
        variables,
        KeyRoutes(keyring=deployment.keyring, identities=identities, development=settings.development),
        TokenRoutes(issuer=deployment.issuer, identities=identities),
        ExportRoutes(exports=deployment.exports, identities=identities, deployment=settings.name),
        ImportRoutes(imports=deployment.imports, identities=identities),
        status,
        health,
        probes,
        LogRoutes(log=deployment.log, identities=identities),
        StatisticsRoutes(log=deployment.log, identities=identities),
        PreviewRoutes(previews=previews, identities=identities),
    ]

    def site(prefix: str = "") -> SiteApp:
        http_actions = deployment.http_actions
        return SiteApp(http_actions=http_actions, identities=identities, running=running, prefix=prefix)

    api = ApiApp(
        routes=[service.routes() for service in services],
        site=site("/http"),
        sockets=sockets,
        running=running,
        identities=identities,
        deployment=settings.name,
        cloud_url=settings.cloud_url,
        site_url=settings.site_url,
        body_bytes_max=settings.knobs.request_body_bytes,
    )
    return Apps(api=api, site=site(), functions=functions, probes=probes, sockets=sockets, running=running)
