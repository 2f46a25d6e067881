"""The deployment: joins log, checkpoint, executors, subscriptions and pushes into one running backend."""

from convexpy.deployment.deployment import Deployment, DeploymentSettings
from convexpy.deployment.identities import Identities
from convexpy.deployment.push import PushRequest
from convexpy.deployment.state import Keys, load_keys, save_keys
from convexpy.deployment.storage import FolderStorage, MemoryStorage
from convexpy.deployment.variables import holds_sealed, key_file, load_secret_key

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
