"""The typed client of a deployment: functions, pushes, variables, logs, files."""

from __future__ import annotations

from convexpy.client._admin import AdminClient, FunctionResult, LogPage, LogPlace, PushFile, PushResult
from convexpy.client._data import DataClient, DocumentQuery
from convexpy.client._errors import DeploymentError, FunctionFailed, Unreachable
from convexpy.client._evaluation import Evaluated, Evaluator
from convexpy.client._files import FileClient, FileInfo
from convexpy.client._probe import Probe
from convexpy.client._transfers import Download, TransferClient
from convexpy.client._watch import watch_query

__all__ = [
    "AdminClient",
    "DataClient",
    "DeploymentError",
    "DocumentQuery",
    "Download",
    "Evaluated",
    "Evaluator",
    "FileClient",
    "FileInfo",
    "FunctionFailed",
    "FunctionResult",
    "LogPage",
    "LogPlace",
    "Probe",
    "PushFile",
    "PushResult",
    "TransferClient",
    "Unreachable",
    "watch_query",
]
