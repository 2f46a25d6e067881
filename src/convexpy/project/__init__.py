"""A developer's project: configuration, target, files to push, generated code, scaffolds, local state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from convexpy.project._analysis import analyze
    from convexpy.project._client_env import client_variables, write_client_env
    from convexpy.project._config import CONFIG_FILE, Config, NamedDeployment, read_config
    from convexpy.project._credentials import (
        forget_key,
        origin_of,
        store_key,
        stored_entries,
        stored_key,
        user_folder,
        user_remotes,
    )
    from convexpy.project._env_file import edit_env, parse_env, quote_value, read_env_file, update_env_file
    from convexpy.project._local import (
        DEFAULT_PORTS,
        LocalDeployment,
        LockHolder,
        free_pairs,
        port_holder,
        port_is_free,
        process_start_time,
    )
    from convexpy.project._locate import Project, find_project, open_project
    from convexpy.project._modules import FunctionsFolder, SourceFile, has_typescript_functions, is_pushed
    from convexpy.project._profiles import Profiles, check_name
    from convexpy.project._scaffold import (
        PlannedFile,
        Scaffold,
        as_new,
        list_scaffolds,
        plan_files,
        render_scaffold,
        write_planned,
    )
    from convexpy.project._scaffold_files import SIGN_IN_KINDS, SignIn, SignInKind, package_name
    from convexpy.project._target import LOCAL, Target, TargetRequest, resolve_target
    from convexpy.project._typecheck import CheckResult, Diagnostic, find_checker, run_checker

__all__ = [
    "CONFIG_FILE",
    "DEFAULT_PORTS",
    "LOCAL",
    "SIGN_IN_KINDS",
    "CheckResult",
    "Config",
    "Diagnostic",
    "FunctionsFolder",
    "LocalDeployment",
    "LockHolder",
    "NamedDeployment",
    "PlannedFile",
    "Profiles",
    "Project",
    "Scaffold",
    "SignIn",
    "SignInKind",
    "SourceFile",
    "Target",
    "TargetRequest",
    "analyze",
    "as_new",
    "check_name",
    "client_variables",
    "edit_env",
    "find_checker",
    "find_project",
    "forget_key",
    "free_pairs",
    "has_typescript_functions",
    "is_pushed",
    "list_scaffolds",
    "open_project",
    "origin_of",
    "package_name",
    "parse_env",
    "plan_files",
    "port_holder",
    "port_is_free",
    "process_start_time",
    "quote_value",
    "read_config",
    "read_env_file",
    "render_scaffold",
    "resolve_target",
    "run_checker",
    "store_key",
    "stored_entries",
    "stored_key",
    "update_env_file",
    "user_folder",
    "user_remotes",
    "write_client_env",
    "write_planned",
]

_HOMES = {
    "_analysis": ("analyze",),
    "_client_env": ("client_variables", "write_client_env"),
    "_config": ("CONFIG_FILE", "Config", "NamedDeployment", "read_config"),
    "_credentials": (
        "forget_key",
        "origin_of",
        "store_key",
        "stored_entries",
        "stored_key",
        "user_folder",
        "user_remotes",
    ),
    "_env_file": ("edit_env", "parse_env", "quote_value", "read_env_file", "update_env_file"),
    "_local": (
        "DEFAULT_PORTS",
        "LocalDeployment",
        "LockHolder",
        "free_pairs",
        "port_holder",
        "port_is_free",
        "process_start_time",
    ),
    "_locate": ("Project", "find_project", "open_project"),
    "_modules": ("FunctionsFolder", "SourceFile", "has_typescript_functions", "is_pushed"),
    "_profiles": ("Profiles", "check_name"),
    "_scaffold": (
        "PlannedFile",
        "Scaffold",
        "as_new",
        "list_scaffolds",
        "plan_files",
        "render_scaffold",
        "write_planned",
    ),
    "_scaffold_files": ("SIGN_IN_KINDS", "SignIn", "SignInKind", "package_name"),
    "_target": ("LOCAL", "Target", "TargetRequest", "resolve_target"),
    "_typecheck": ("CheckResult", "Diagnostic", "find_checker", "run_checker"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    # A command needs a few of these; loading all of them would cost it more than its own work.
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module 'convexpy.project' has no attribute {name!r}")
    from importlib import import_module

    found = getattr(import_module(f"convexpy.project.{home}"), name)
    globals()[name] = found
    return found
