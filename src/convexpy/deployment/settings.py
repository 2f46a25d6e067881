"""What a deployment is told when it starts."""

from __future__ import annotations

from dataclasses import dataclass, field

from convexpy.limits import Knobs


@dataclass
class DeploymentSettings:
    """The settings of a deployment. `literal_keys` open everything: none but by explicit setting."""

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
