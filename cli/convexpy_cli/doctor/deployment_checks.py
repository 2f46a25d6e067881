"""Checks of the deployment and the way to it. When it does not answer, those after it are skipped."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Iterator

from packaging.version import Version

from convexpy.client import DeploymentError, Probe, Unreachable
from convexpy.errors import Error, ProjectError
from convexpy.project import LocalDeployment
from convexpy.protocol.admin_api import DeploymentStatus
from convexpy_cli.context import served, wait_for
from convexpy_cli.docs.about import version_text
from convexpy_cli.doctor.findings import Check, Finding, Scene, fail, ok, skip, warn
from convexpy_cli.output import masking
from convexpy_cli.output.units import size_text

SKEW_MAX_MS = 5_000.0
BUILD_LOOK_S = 2.0
FIRST_BYTES = 256 * 1024
_PROXIES = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")


def target(scene: Scene) -> Finding:
    """Which deployment is meant, and who says so."""
    try:
        chosen = scene.run.target()
    except ProjectError as error:
        scene.silent = "no deployment is chosen"
        if error.code == "ProjectNotFound":
            return skip("no project here, and no deployment is named", fix="-d URL, or CONVEXPY_URL")
        return fail(
            error.message,
            why="commands do not know which deployment to use",
            fix=str(error.hint or "-d NAME"),
        )
    if chosen.kind == "local":
        running = served(LocalDeployment(scene.run.project), chosen)
        if running is None:
            scene.silent = "the local deployment is not running"
            return skip(f"local (from {chosen.url_source}); it is not running", fix="convexpy dev")
        chosen = running
    if chosen.admin_key:
        masking.register(chosen.admin_key)
    scene.target = chosen
    scene.probe = Probe(chosen.url, chosen.admin_key, source=chosen.url_source)
    scene.client = scene.run.client(chosen)
    key = f"key from {chosen.key_source}" if chosen.admin_key else "no key is known"
    return ok(f"{chosen.name} · {chosen.url} (from {chosen.url_source}; {key})")


def reachable(scene: Scene) -> Iterator[Finding]:
    """Whether the name resolves and an address answers: IPv4 and IPv6 apart."""
    probe = scene.probe
    if probe.proxy is not None:
        yield ok(f"through the proxy {probe.proxy}, which resolves the address")
        return
    try:
        addresses = probe.addresses()
    except Unreachable as error:
        yield _unreachable(scene, error, "check the URL, and this machine's DNS")
        return
    reached: list[str] = []
    missed: list[tuple[str, Unreachable]] = []
    for kind, address in addresses[:4]:
        try:
            reached.append(f"{kind} {address} in {probe.connect_ms(address):.1f} ms")
        except Unreachable as error:
            missed.append((f"{kind} {address}", error))
    if not reached:
        yield _unreachable(scene, missed[0][1], "start the server, or check its address and the firewall")
        return
    yield ok(", ".join(reached))
    kinds = {each.split()[0] for each in reached}
    if any(place.split()[0] not in kinds for place, _ in missed):
        yield warn(
            f"no answer at {', '.join(place for place, _ in missed)}",
            why="clients that try this address first have to wait for a timeout",
            fix="make the server listen on it, or remove the DNS record",
        )


def _unreachable(scene: Scene, error: Error, fix: str) -> Finding:
    scene.silent = "the deployment does not respond"
    return fail(error.message, why="every command that needs it fails (exit 6)", fix=fix)


def proxy(scene: Scene) -> Finding:
    """What the environment says about proxies."""
    named = [name for name in _PROXIES if os.environ.get(name)]
    used = scene.probe.proxy
    if used is not None:
        return ok(str(used))
    if named:
        return ok(f"{', '.join(named)} set, not used for {scene.probe.host}")
    return ok("none")


def tls(scene: Scene) -> Finding:
    """Whether the certificate is good, and for how long."""
    probe = scene.probe
    if not probe.secure:
        if probe.host in ("localhost", "127.0.0.1", "::1"):
            return skip("not used on this machine")
        return warn(
            f"{probe.url} is not encrypted",
            why="the admin key and all data can be intercepted",
            fix="serve it over https: convexpy docs serving",
        )
    try:
        days = probe.certificate_days()
    except Unreachable as error:
        scene.silent = "TLS with the deployment fails"
        return fail(
            error.message, why="no connection is possible", fix="fix the certificate, or set SSL_CERT_FILE"
        )
    if days is not None and days < 14:
        why = "clients refuse to connect when it has expired"
        return warn(f"the certificate expires in {days:.0f} days", why=why, fix="renew it")
    return ok("the certificate is valid" + (f" for {days:.0f} days" if days is not None else ""))


def round_trip(scene: Scene) -> Finding:
    """How long a small request takes."""
    try:
        found = scene.probe.round_trips_ms()
    except DeploymentError as error:
        scene.silent = "the deployment does not respond"
        return fail(error.message, why="requests are not answered", fix="look at the server's log")
    return ok(f"{statistics.median(found):.1f} ms (longest of {len(found)}: {max(found):.1f} ms)")


def websocket(scene: Scene) -> Finding:
    """Whether the upgrade to a WebSocket passes everything on the way."""
    try:
        scene.probe.upgrade()
    except Unreachable as error:
        return fail(
            error.message,
            why="clients receive no updates without it",
            fix="configure the proxy to pass `Upgrade: websocket`",
        )
    return ok("the upgrade works")


def versions(scene: Scene) -> Finding:
    """Whether server and command line are of one release."""
    text = scene.client.version()
    server, here = text.removeprefix("convexpy ").strip(), version_text()
    if not text.startswith("convexpy "):
        return fail(
            f"this is not a convexpy server: {text[:60]!r}",
            why="pushes to other servers are refused",
            fix="check the URL",
        )
    if server == here:
        return ok(f"{here} on both sides")
    older = Version(server) < Version(here)
    return warn(
        f"the server is {server}, the command line {here}",
        why="new features of one side do not work with the other",
        fix="update the server" if older else "convexpy update",
    )


def key(scene: Scene) -> Iterator[Finding]:
    """Whether the key is accepted; what the deployment says of itself is kept for the checks after."""
    if not scene.target.admin_key:
        yield fail(
            f"no admin key found for {scene.target.url}",
            why="only public functions can be called",
            fix=f"convexpy login {scene.target.url}",
        )
        return
    try:
        scene.client.check_key()
    except DeploymentError as error:
        yield fail(
            error.message, why="every admin command fails (exit 5)", fix="convexpy login, or a new key"
        )
        return
    yield ok(f"accepted (from {scene.target.key_source})")
    before = time.time() * 1000
    try:
        scene.status = scene.client.status()
        scene.asked_ms = (before + time.time() * 1000) / 2
    except DeploymentError as error:
        if error.code != "KeyKindForbidden":
            raise


def clock(scene: Scene) -> Finding:
    """Whether both clocks agree."""
    status = scene.status
    if status is None or status.now is None:
        return skip("this key may not read the server's time")
    skew_ms = status.now - scene.asked_ms
    if abs(skew_ms) > SKEW_MAX_MS:
        return warn(
            f"the server's clock is {abs(skew_ms) / 1000:.0f} s {'ahead' if skew_ms > 0 else 'behind'}",
            why="tokens may appear expired or not yet valid, and jobs run at the wrong time",
            fix="enable time synchronization on both machines",
        )
    return ok(f"differs by {abs(skew_ms) / 1000:.1f} s")


def required_variables(scene: Scene) -> Finding:
    """Whether the variables that the project requires are set on the deployment."""
    required = () if scene.project_error else scene.project.config.required_env
    if not required:
        return skip("env.required lists no variables")
    present = scene.client.environment()
    missing = [name for name in required if not present.get(name)]
    if missing:
        return fail(
            f"not set on {scene.target.name}: {', '.join(missing)}",
            why="pushes are refused while they are missing",
            fix=f"convexpy env set {missing[0]}",
        )
    return ok(f"{len(required)} set")


def index_builds(scene: Scene) -> Finding:
    """Whether indexes that are being built get on."""
    status = scene.status
    if status is None:
        return skip("this key may not read it")
    if not status.building:
        return ok("no index is being built")
    names = ", ".join(f"{each.table}.{each.index}" for each in status.building)
    later = wait_for(lambda: _moved(scene, status), BUILD_LOOK_S)
    if later is None:
        return warn(
            f"{names}: no progress in {BUILD_LOOK_S:g} s",
            why="pushes that wait for it do not finish",
            fix="restart the server: it resumes the build, or drops it if no push needs it",
        )
    return ok(f"{names}: being built, {later}")


def _moved(scene: Scene, before: DeploymentStatus) -> str | None:
    """Return how far a build is if it has moved since a look before."""
    now = scene.client.status()
    if now.building != before.building:
        return "one is complete"
    if now.walking == before.walking:
        return None
    walking = now.walking
    return (
        "one is complete" if walking is None else f"{walking.documents:,} documents of {walking.table} so far"
    )


def server_disk(scene: Scene) -> Finding:
    """Whether the server has room."""
    found = None if scene.status is None else scene.status.disk
    if found is None:
        return skip("this key may not read it")
    message = f"{size_text(found.database_bytes)} used, {size_text(found.free_bytes)} free"
    if found.free_bytes < max(1024**3, found.database_bytes // 5):
        why = "writes are refused when it is full"
        return warn(message, why=why, fix="use a bigger disk, or delete old backups")
    return ok(message)


def throughput(scene: Scene) -> Finding:
    """How fast bytes go there and back; only with `--network`."""
    if not scene.network:
        return skip("not requested", fix="convexpy doctor --network")
    # A slow way is tried with little, so that this ends in any case.
    speed = scene.probe.throughput(FIRST_BYTES)
    if speed > 2 * FIRST_BYTES:
        speed = scene.probe.throughput()
    return ok(f"{size_text(int(speed))}/s in both directions together")


CHECKS = (
    Check("target", target),
    Check("reachable", reachable, "deployment"),
    Check("proxy", proxy, "deployment"),
    Check("tls", tls, "deployment"),
    Check("round-trip", round_trip, "deployment"),
    Check("websocket", websocket, "deployment"),
    Check("versions", versions, "deployment"),
    Check("key", key, "deployment"),
    Check("clock", clock, "deployment"),
    Check("required-env", required_variables, "deployment"),
    Check("indexes", index_builds, "deployment"),
    Check("server-disk", server_disk, "deployment"),
    Check("throughput", throughput, "deployment"),
)
