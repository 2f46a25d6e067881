"""Error code → exit status of the command line: one table, used by everybody that ends a process.

0 done · 1 the operation ran and failed · 2 usage · 3 configuration · 4 an answer is needed · 5 not
authorised · 6 unreachable · 7 the code is not deployable · 8 data and schema disagree · 9 refused for safety
· 10 conflict · 11 versions do not fit · 12 not supported by this server · 70 a bug · 124 timeout · 130
interrupted
"""

from __future__ import annotations

from convexpy.errors import Error, InvariantViolation, ProjectError

EXIT_CODES: dict[str, int] = {
    "FunctionFailed": 1,
    "SourceError": 1,
    "ChangedMeanwhile": 10,
    "BuildFailed": 1,
    "LimitExceeded": 1,
    "UsageError": 2,
    "FunctionNotFound": 2,
    "ArgumentsInvalid": 2,
    "ArgumentValidationError": 2,
    "ProjectNotFound": 3,
    "ConfigInvalid": 3,
    "TlsInvalid": 3,
    "TargetIncomplete": 3,
    "TargetUnknown": 3,
    "DataFolderUnusable": 3,
    "DatabaseAddressInvalid": 3,
    "DatabaseRefused": 3,
    "DatabaseUnreachable": 6,
    "DebugpyMissing": 3,
    "PackageMissing": 3,
    "EnvMissing": 3,
    "KeyNotFound": 2,
    "BackupNotFound": 2,
    "TopicNotFound": 2,
    "VersionNotKept": 2,
    "PreviewNotFound": 2,
    "BadPreviewName": 2,
    "TooManyPreviews": 10,
    "FirstKey": 2,
    "CronNotFound": 2,
    "JobNotFound": 2,
    "InvalidId": 2,
    "KeyNameTaken": 2,
    "BadKeyName": 2,
    "BadKeyExpiry": 2,
    "BadCondition": 2,
    "FieldNotInIndex": 2,
    "InvalidIndexRange": 2,
    "BoundsOnMultipleFields": 2,
    "IndexNotFoundError": 2,
    "EnvironmentVariableNameInvalid": 2,
    "EnvironmentVariableNameTooLong": 2,
    "EnvironmentVariableBuiltIn": 2,
    "EnvironmentVariableValueTooLarge": 2,
    "TooManyEnvironmentVariables": 2,
    "InputRequired": 4,
    "KeyRejected": 5,
    "KeyKindForbidden": 5,
    "BadDeployKey": 5,
    "Unauthenticated": 5,
    "Unreachable": 6,
    "ProxyInvalid": 6,
    "IndexTimeout": 6,
    "NotACompatibleServer": 6,
    "ServerStartFailed": 6,
    "ServerStopped": 6,
    "ModuleLoadFailed": 7,
    "ModuleAndFolder": 7,
    "DuplicateFunctionPath": 7,
    "DependenciesFailed": 7,
    "SchemaDefinitionError": 7,
    "SchemaDefinitionInvalid": 7,
    "TypecheckFailed": 7,
    "GeneratedFilesStale": 7,
    "SchemaMismatch": 8,
    "SchemaViolation": 8,
    "ConsentRequired": 9,
    "DeploymentProtected": 9,
    "BuildEnvironmentMismatch": 9,
    "GitNotClean": 9,
    "Declined": 9,
    "FileExists": 9,
    "PushSuperseded": 10,
    "PushInProgress": 10,
    "PortInUse": 10,
    "DevAlreadyRunning": 10,
    "DataFolderInUse": 10,
    "DatabaseInUse": 10,
    "NodeMismatch": 3,
    "NoNodeServes": 6,
    "JobAlreadyRunning": 10,
    "ExportInProgress": 10,
    "TableNumberConflict": 10,
    "SchemaChanged": 10,
    "ImportRowsInvalid": 8,
    "TableNotEmpty": 9,
    "SnapshotRefused": 9,
    "ImportNotFound": 2,
    "ExportNotFound": 2,
    "UploadNotFound": 2,
    "TextUnreadable": 2,
    "NewerFormat": 11,
    "ServerTooOld": 11,
    "CliTooOld": 11,
    "NotSupported": 12,
    "PreviewsUnsupported": 12,
    "InternalError": 70,
    "TimedOut": 124,
}


def exit_code_of(code: str, default: int = 1) -> int:
    """Return the exit status of an error code, `default` for a code that has none of its own."""
    return EXIT_CODES.get(code, default)


def exit_code(error: BaseException) -> int:
    """Return the exit status of an exception."""
    if isinstance(error, InvariantViolation):
        return 70
    if isinstance(error, Error):
        return exit_code_of(error.code, 7 if isinstance(error, ProjectError) else 1)
    return 70
