"""The static table of commands: what the root answers from, without importing any of them.

A test compares it with the commands themselves. The module imports nothing, since `--help`, `--version` and
a mistyped command must cost no more than starting Python.
"""

from __future__ import annotations

GROUPS = ("Start", "Use", "Inspect", "Manage", "Tools")

GLOBAL_SWITCHES = {
    "-q": "--quiet",
    "--quiet": "--quiet",
    "-v": "--verbose",
    "--verbose": "--verbose",
    "--debug": "--debug",
    "-y": "--yes",
    "--yes": "--yes",
    "--no-input": "--no-input",
    "--json": "--json",
    "--prod": "--prod",
    "--no-wait": "--no-wait",
}
"""Global flags without a value, with their long names."""

GLOBAL_VALUES = {
    "-C": "--project",
    "--project": "--project",
    "-d": "--deployment",
    "--deployment": "--deployment",
    "--deployment-name": "--deployment",
    "--url": "--url",
    "--admin-key": "--admin-key",
    "--env-file": "--env-file",
    "--format": "--format",
    "--allow": "--allow",
    "--color": "--color",
    "--timeout": "--timeout",
}
"""Global flags that take a value, with their long names."""


class Command:
    """One command: where its declaration is, and what the root says about it."""

    __slots__ = ("aliases", "attribute", "group", "help", "module", "stage")

    def __init__(
        self,
        module: str,
        attribute: str,
        help: str,
        group: str,
        *,
        stage: int = 1,
        aliases: tuple[str, ...] = (),
    ) -> None:
        self.module = "convexpy_cli." + module
        self.attribute = attribute
        self.help = help
        self.group = group
        self.stage = stage
        self.aliases = aliases


COMMANDS: dict[str, Command] = {
    "init": Command("init.commands", "init", "create a project, or adopt a folder", "Start"),
    "dev": Command("dev.commands", "dev", "watch the functions folder, push every save, show logs", "Start"),
    "serve": Command("serve.commands", "serve", "run a production server", "Start"),
    "deploy": Command("deploy.commands", "deploy", "push to a shared deployment, in one moment", "Start"),
    "run": Command("functions.run", "run", "call a function", "Use"),
    "shell": Command("shell.commands", "shell", "a Python prompt on the deployment", "Use"),
    "logs": Command("logs.commands", "logs", "read and follow logs", "Use"),
    "data": Command("data.commands", "data", "show tables and documents", "Use"),
    "data get": Command("data.commands", "data_get", "show a document", "Use"),
    "data insert": Command("data.commands", "data_insert", "insert documents", "Use"),
    "data patch": Command("data.commands", "data_patch", "set fields of a document", "Use"),
    "data delete": Command("data.commands", "data_delete", "delete documents", "Use"),
    "env list": Command("env.commands", "env_list", "names of the deployment's variables", "Use"),
    "env get": Command("env.commands", "env_get", "print one variable", "Use"),
    "env set": Command("env.commands", "env_set", "set variables", "Use"),
    "env remove": Command(
        "env.commands", "env_remove", "remove variables", "Use", aliases=("env rm", "env unset")
    ),
    "env pull": Command("env.commands", "env_pull", "write variables into an env file", "Use"),
    "env diff": Command("env.commands", "env_diff", "compare variables with a file or a deployment", "Use"),
    "import": Command("transfers.import_command", "import_", "import a snapshot, JSON or CSV", "Use"),
    "export": Command("transfers.export_command", "export", "export all tables at one moment", "Use"),
    "backup create": Command(
        "transfers.backup_commands", "backup_create", "back up everything at one moment", "Use"
    ),
    "backup list": Command("transfers.backup_commands", "backup_list", "the deployment's backups", "Use"),
    "backup download": Command("transfers.backup_commands", "backup_download", "fetch a backup", "Use"),
    "backup restore": Command(
        "transfers.backup_commands", "backup_restore", "replace everything by a backup", "Use"
    ),
    "backup delete": Command(
        "transfers.backup_commands", "backup_delete", "delete a backup", "Use", aliases=("backup rm",)
    ),
    "backup verify": Command(
        "transfers.backup_commands", "backup_verify", "read a backup completely, offline", "Use"
    ),
    "storage list": Command("storage.commands", "storage_list", "the deployment's files", "Use"),
    "storage put": Command("storage.commands", "storage_put", "store files", "Use"),
    "storage get": Command("storage.commands", "storage_get", "fetch a file", "Use"),
    "storage url": Command("storage.commands", "storage_url", "the public address of a file", "Use"),
    "storage info": Command("storage.commands", "storage_info", "size, type and checksum of a file", "Use"),
    "storage delete": Command(
        "storage.commands", "storage_delete", "delete files", "Use", aliases=("storage rm",)
    ),
    "schema show": Command("schema.commands", "schema_show", "tables, fields and indexes", "Inspect"),
    "schema diff": Command("schema.commands", "schema_diff", "how two schemas differ", "Inspect"),
    "schema check": Command(
        "schema.commands", "schema_check", "documents that do not fit the local code", "Inspect"
    ),
    "schema infer": Command("schema.commands", "schema_infer", "a schema from stored documents", "Inspect"),
    "functions list": Command(
        "functions.commands", "functions_list", "functions with their arguments", "Inspect"
    ),
    "functions show": Command(
        "functions.commands", "functions_show", "one function, and how to call it", "Inspect"
    ),
    "functions spec": Command(
        "functions.commands",
        "functions_spec",
        "the official function specification",
        "Inspect",
        aliases=("function-spec",),
    ),
    "functions openapi": Command("functions.commands", "functions_openapi", "an OpenAPI document", "Inspect"),
    "schedule list": Command(
        "jobs.schedule", "schedule_list", "scheduled functions and their states", "Inspect"
    ),
    "schedule show": Command("jobs.schedule", "schedule_show", "one scheduled function", "Inspect"),
    "schedule cancel": Command("jobs.schedule", "schedule_cancel", "cancel scheduled functions", "Inspect"),
    "crons list": Command("jobs.crons", "crons_list", "cron jobs with their last and next runs", "Inspect"),
    "crons history": Command("jobs.crons", "crons_history", "the latest runs of a cron job", "Inspect"),
    "crons run": Command("jobs.crons", "crons_run", "run a cron job now, as an extra run", "Inspect"),
    "status": Command(
        "deployments.status_command", "status", "how the deployment is, on one screen", "Inspect"
    ),
    "deployment list": Command(
        "deployments.commands", "list_", "deployments that have a name", "Manage", aliases=("deployments",)
    ),
    "deployment show": Command(
        "deployments.commands", "show", "which deployment commands use, and why", "Manage"
    ),
    "deployment select": Command("deployments.commands", "select", "choose one for development", "Manage"),
    "deployment add": Command("deployments.commands", "add", "name a server", "Manage"),
    "deployment rename": Command("deployments.commands", "rename", "give one another name", "Manage"),
    "deployment remove": Command(
        "deployments.commands", "remove", "forget a name", "Manage", aliases=("deployment rm",)
    ),
    "deployment history": Command(
        "deployments.commands", "history", "what was pushed, when and by whom", "Manage"
    ),
    "deployment reset": Command("deployments.commands", "reset", "delete all local data", "Manage"),
    "keys create": Command(
        "keys.commands", "keys_create", "make an admin key", "Manage", aliases=("deployment token create",)
    ),
    "keys list": Command("keys.commands", "keys_list", "the deployment's admin keys", "Manage"),
    "keys rotate": Command("keys.commands", "keys_rotate", "a new key in place of one", "Manage"),
    "keys revoke": Command(
        "keys.commands",
        "keys_revoke",
        "make an admin key worthless",
        "Manage",
        aliases=("deployment token delete",),
    ),
    "login": Command("deployments.login", "login", "remember the key of a server", "Manage"),
    "login status": Command(
        "deployments.login", "login_status", "servers whose keys are remembered", "Manage"
    ),
    "logout": Command("deployments.login", "logout", "forget the key of a server", "Manage"),
    "codegen": Command("dev.codegen", "codegen", "write _generated/ from local code, offline", "Tools"),
    "typecheck": Command("dev.typecheck", "typecheck", "run the project's type checker", "Tools"),
    "doctor": Command("doctor.commands", "doctor", "what may be wrong here, and how to mend it", "Tools"),
    "docs": Command("docs.commands", "docs", "the documentation of this version, offline", "Tools"),
    "mcp": Command(
        "mcp.commands",
        "mcp",
        "serve the Model Context Protocol to a coding agent",
        "Tools",
        aliases=("mcp start",),
    ),
    "mcp install": Command("mcp.commands", "mcp_install", "configure a client of it", "Tools"),
    "completion show": Command(
        "docs.completion_command", "completion_show", "print a completion script", "Tools"
    ),
    "completion install": Command(
        "docs.completion_command", "completion_install", "have a shell complete convexpy", "Tools"
    ),
    "completion uninstall": Command(
        "docs.completion_command", "completion_uninstall", "take that back", "Tools"
    ),
    "update": Command("docs.update_command", "update", "how to update this copy", "Tools"),
    "version": Command("docs.version_command", "version", "this version, Python and platform", "Tools"),
}
"""Every command by its full name."""

FAMILIES = {
    "env": "the deployment's variables",
    "backup": "backups of the deployment",
    "storage": "the deployment's files",
    "schema": "tables, fields and indexes",
    "functions": "the functions of a deployment, or of the local code",
    "schedule": "scheduled functions",
    "crons": "cron jobs",
    "deployment": "the deployments of this project",
    "keys": "the deployment's admin keys",
    "completion": "completion for bash, zsh, fish and PowerShell",
}
"""Words that are followed by a second one."""


ELSEWHERE = {
    "dashboard": "there is no dashboard yet: use data, logs, functions list --stats and status",
    "dash": "there is no dashboard yet: use data, logs, functions list --stats and status",
    "insights": "convexpy functions list --stats",
    "network-test": "convexpy doctor --network",
    "project": "there are no hosted projects: convexpy init makes one here",
    "reinit": "convexpy init",
    "ai-files": "convexpy init . --agents",
    "integration": "sign-in is configured in convex/auth_config.py: convexpy docs auth",
    "auth": "sign-in is configured in convex/auth_config.py: convexpy docs auth",
    "ls": "convexpy data",
    "start": "convexpy dev",
    "push": "convexpy deploy",
}
"""Words that people try, above all from the official command line, and what to use."""


def find(words: list[str]) -> tuple[str, Command, int] | None:
    """Return (full name, command, number of words used) for the start of `words`, or None."""
    for count in (3, 2, 1):
        name = " ".join(words[:count])
        for full, command in COMMANDS.items():
            if len(words) >= count and (name == full or name in command.aliases):
                return full, command, count
    return None


def names() -> list[str]:
    """Return every first word that the root knows, in the order of the table."""
    return list(dict.fromkeys(name.split()[0] for name in COMMANDS))


def distance(first: str, second: str) -> int:
    """Return how many letters must be changed to make one word of the other."""
    row = list(range(len(second) + 1))
    for i, letter in enumerate(first, 1):
        previous, row[0] = row[0], i
        for j, other in enumerate(second, 1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (letter != other))
    return row[-1]


def nearest(word: str, candidates: list[str]) -> str | None:
    """Return the candidate that was probably meant, or None if nothing is near."""
    best = min(candidates, key=lambda name: distance(word, name), default=None)
    if best is None or distance(word, best) > max(2, len(word) // 3):
        return None
    return best
