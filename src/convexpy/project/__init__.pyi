"""The names of the package, with their types; `__init__.py` imports each when it is first used."""

from ._analysis import analyze as analyze
from ._config import (
    CONFIG_FILE as CONFIG_FILE,
    Config as Config,
    NamedDeployment as NamedDeployment,
    key_lines as key_lines,
    read_config as read_config,
    setting_fields as setting_fields,
)
from ._credentials import (
    forget_key as forget_key,
    origin_of as origin_of,
    store_key as store_key,
    stored_entries as stored_entries,
    stored_key as stored_key,
    user_folder as user_folder,
    user_remotes as user_remotes,
)
from ._env_file import (
    client_variables as client_variables,
    edit_env as edit_env,
    parse_env as parse_env,
    quote_value as quote_value,
    read_env_file as read_env_file,
    update_env_file as update_env_file,
    write_client_env as write_client_env,
)
from ._local import (
    DEFAULT_PORTS as DEFAULT_PORTS,
    LocalDeployment as LocalDeployment,
    LockHolder as LockHolder,
    free_pairs as free_pairs,
    port_holder as port_holder,
    port_is_free as port_is_free,
    process_start_time as process_start_time,
)
from ._locate import Project as Project, find_project as find_project, open_project as open_project
from ._modules import (
    FunctionsFolder as FunctionsFolder,
    has_typescript_functions as has_typescript_functions,
    is_pushed as is_pushed,
)
from ._profiles import Profiles as Profiles, check_name as check_name
from ._scaffold import (
    SIGN_IN_KINDS as SIGN_IN_KINDS,
    PlannedFile as PlannedFile,
    Scaffold as Scaffold,
    SignIn as SignIn,
    as_new as as_new,
    is_application as is_application,
    list_scaffolds as list_scaffolds,
    package_name as package_name,
    plan_files as plan_files,
    render_scaffold as render_scaffold,
    write_planned as write_planned,
)
from ._target import (
    LOCAL as LOCAL,
    PREVIEW_PREFIX as PREVIEW_PREFIX,
    Target as Target,
    TargetRequest as TargetRequest,
    resolve_target as resolve_target,
)
from ._typecheck import (
    CheckResult as CheckResult,
    Diagnostic as Diagnostic,
    find_checker as find_checker,
    run_checker as run_checker,
)
