"""One running deployment, built from the engine and the services over a data folder."""

from convexpy.deployment.apps import Apps, build_apps
from convexpy.deployment.build import build_deployment
from convexpy.deployment.data_folder import MemoryStorage, open_folder
from convexpy.deployment.deployment import Deployment
from convexpy.deployment.keys_file import Keys, load_keys, save_keys
from convexpy.deployment.settings import DeploymentSettings

__all__ = [
    "Apps",
    "Deployment",
    "DeploymentSettings",
    "Keys",
    "MemoryStorage",
    "build_apps",
    "build_deployment",
    "load_keys",
    "open_folder",
    "save_keys",
]
