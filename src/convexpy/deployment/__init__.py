"""One running deployment, built from the engine and the services over a data folder."""

from convexpy.deployment.apps import Apps as Apps, build_apps as build_apps
from convexpy.deployment.data_folder import MemoryStorage as MemoryStorage, open_folder as open_folder
from convexpy.deployment.deployment import Deployment as Deployment
from convexpy.deployment.keys_file import Keys as Keys, load_keys as load_keys, save_keys as save_keys
from convexpy.deployment.preparation import Preparation as Preparation
from convexpy.deployment.settings import DeploymentSettings as DeploymentSettings
