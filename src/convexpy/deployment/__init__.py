"""The deployment: joins log, checkpoint, executors, subscriptions and pushes into one running backend."""

from convexpy.deployment.data_folder import FolderStorage, MemoryStorage
from convexpy.deployment.deployment import Deployment, DeploymentSettings
from convexpy.deployment.start_state import Keys, load_keys, save_keys
from convexpy.engine.identities import Identities
from convexpy.services.pushes.push import PushRequest
from convexpy.services.variables.service import holds_sealed, key_file, load_secret_key

__all__ = [
    "Deployment",
    "DeploymentSettings",
    "FolderStorage",
    "Identities",
    "Keys",
    "MemoryStorage",
    "PushRequest",
    "holds_sealed",
    "key_file",
    "load_keys",
    "load_secret_key",
    "save_keys",
]
