"""The typed client of a deployment: functions, pushes, variables, logs, files."""

from __future__ import annotations

from convexpy.client._admin import (
    AdminClient as AdminClient,
    FunctionResult as FunctionResult,
    LogPage as LogPage,
)
from convexpy.client._data import (
    DataClient as DataClient,
    DocumentQuery as DocumentQuery,
    Evaluated as Evaluated,
    Evaluator as Evaluator,
)
from convexpy.client._errors import (
    DeploymentError as DeploymentError,
    FunctionFailed as FunctionFailed,
    Unreachable as Unreachable,
)
from convexpy.client._files import FileClient as FileClient, FileInfo as FileInfo
from convexpy.client._probe import Probe as Probe
from convexpy.client._transfers import Download as Download, TransferClient as TransferClient
from convexpy.client._watch import watch_query as watch_query, watch_query_async as watch_query_async
from convexpy.protocol.admin_api import KeyAccess as KeyAccess, PushFile as PushFile, PushResult as PushResult
