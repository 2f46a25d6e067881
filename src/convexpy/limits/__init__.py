"""Every number that bounds something, with its unit and its reason.

Names end in their unit. Those in `Knobs` may be overridden per deployment; the rest are part of the wire format or of
the storage format.
"""

from __future__ import annotations

import msgspec

MIB = 1024 * 1024

# Values: part of Convex's data model, the same in every deployment.
ARRAY_LENGTH_MAX = 8192
OBJECT_FIELDS_MAX = 1024
FIELD_NAME_LENGTH_MAX = 1024
VALUE_NESTING_MAX = 64
VALUE_SIZE_BYTES_MAX = 32 * MIB
DOCUMENT_NESTING_MAX = 16
DOCUMENT_SIZE_BYTES_MAX = 1 * MIB
IDENTIFIER_LENGTH_MAX = 64
INDEXES_PER_TABLE_MAX = 64
INDEX_FIELDS_MAX = 16

# Scheduled jobs: what one may carry, and how far from now it may be planned, in either direction.
SCHEDULED_ARGS_BYTES_MAX = 4 * MIB
SCHEDULED_WITHIN_MS = 5 * 365 * 86_400_000.0

# Tokens of end users. Headers and messages may be far larger, but no issuer's token comes near this.
USER_TOKEN_BYTES_MAX = 16 * 1024
TOKEN_CLOCK_SKEW_S = 5.0
VERIFIED_TOKENS_MAX = 1024
# Tokens that the deployment issues itself; a retired key is published for as long as the longest of them.
ISSUED_TOKEN_S_MAX = 86_400.0
SIGNING_KEY_S_MAX = 90 * 86_400.0
RSA_KEY_BITS_MIN = 2048
RSA_KEY_BITS_MAX = 8192

# Keys of issuers. A revoked key is trusted for at most the first of these while its issuer answers, and for the second
# while it does not; a stranger's tokens make no more than one request per `ISSUER_RETRY_S`.
ISSUER_KEYS_FRESH_S = 600.0
ISSUER_KEYS_STALE_S = 3600.0
ISSUER_RETRY_S = 30.0
ISSUER_FETCH_S_MAX = 5.0
ISSUER_REDIRECTS_MAX = 3
ISSUER_ANSWER_BYTES_MAX = 256 * 1024
ISSUER_KEYS_MAX = 100

# Files. A download that has begun may go on for a while after its file was deleted; bytes that no file has after a day
# are of an upload that a crash ended. A sender who sends nothing for so long is gone.
STORAGE_UNLINK_AFTER_S = 3600
STORAGE_ORPHAN_S = 86_400
STORAGE_SWEEP_EVERY_S = 600

# Exports and imports. A finished export is kept for a week, an upload that nobody goes on with for a day.
EXPORT_KEPT_S = 7 * 86_400
UPLOAD_KEPT_S = 86_400
UPLOAD_PART_BYTES_MAX = 64 * MIB
UPLOAD_PARTS_MAX = 100_000

# Files of the database up to this size are checked as a whole before the server is ready (about 6 ms a MiB), larger ones
# in the background.
START_CHECK_BYTES_MAX = 16 * MIB
# How many faults `doctor --deep` lists.
DATA_FAULTS_MAX = 1000

# HTTP requests, before it is known who sends them: a head holds a user's token (16 KiB) and a URL; larger calls use POST. A
# client that stops in the middle is cut off; what comes after a response that did not wait for it is read to this size, so
# that the response arrives, and no further.
HTTP_HEAD_BYTES_MAX = 64 * 1024
HTTP_HEADERS_MAX = 100
HTTP_URL_BYTES_MAX = 16 * 1024
HTTP_HEAD_WITHIN_S = 30.0
HTTP_BODY_STALL_S = 120.0
HTTP_RESPONSE_STALL_S = 120.0
HTTP_DISCARDED_BYTES_MAX = 32 * MIB
# Heads of plain calls that are recognized without parsing them again: one for each client program and length of a body.
HTTP_KNOWN_HEADS_MAX = 4096
HTTP_KNOWN_HEAD_BYTES_MAX = 1024
HTTP_ACTION_BODY_BYTES_MAX = 20 * MIB
ECHO_BYTES_MAX = 4 * MIB
# A `Host` or an `Origin` that is longer is refused; so many different ones that were refused are reported.
HOST_NAME_LENGTH_MAX = 300
REFUSALS_REPORTED_MAX = 50

# What a call names. Four folders and a module of 64 characters each, and a function's name; ids of requests are UUIDs or the
# like. They go into logs and caches.
FUNCTION_PATH_BYTES_MAX = 512
REQUEST_ID_LENGTH_MAX = 128
USER_AGENT_LENGTH_MAX = 512

# Queries of one batch, and those that one socket watches: each costs the event loop about 30 µs at once, so that a message
# with all of them holds it for about half a second, and an executor a moment.
BATCH_QUERIES_MAX = 256
SOCKET_QUERIES_MAX = 20_480
SOCKET_CONNECT_WITHIN_S = 300.0
# Frames of one message: browsers cut large ones into pieces of some KiB, and an empty piece is kept as well.
SOCKET_FRAMES_MAX = 65_536
# Of a message above `socket_message_bytes`: what is passed by to find out whose call it is, in multiples of that limit.
SOCKET_SKIPPED_FACTOR = 10

# A plain `def` action has a thread, whose stack counts as memory of the process: with the system's 8 MiB the 2 GiB of an
# executor were 250 threads. With this one, enough for the recursion limit, they are about 1,000: twice what one socket may run.
ACTION_THREAD_STACK_BYTES = 2 * MIB

# Counts of functions: only of those that exist, yet an app may have many, or have had.
STATISTICS_FUNCTIONS_MAX = 5000
STATISTICS_BYTES_MAX = 8 * MIB
# Calls by the minute, for charts: three hours, about 300 bytes each.
CALLS_MINUTES_MAX = 180
# Processes that run app code. A fresh interpreter may take long to start on a busy machine, a fork takes milliseconds; a
# process that neither runs one of its calls nor uses the processor for so long is stopped or stuck. A call whose
# executors end under it is not tried more often than this.
# One executor is started again after 0.1 s, then after twice the time before, up to the longest.
START_S_MAX = 60.0
FORK_S_MAX = 10.0
EXECUTOR_SILENT_S = 3.0
CALL_ATTEMPTS_MAX = 5
RESPAWN_S_MIN = 0.1
RESPAWN_S_MAX = 10.0
# The event loop of an executor for actions says that it turns, and is stalled when it has not for so long: new actions go
# to another process. An action that has not begun within a second is moved. What is interrupted has two seconds to end.
LOOP_BEAT_S = 0.5
LOOP_STALLED_S = 3.0
ACTION_BEGIN_S = 1.0
ACTION_END_S = 2.0
# Mutations that take longer than this on average run in the second lane. One that does so unexpectedly, while others wait, is
# moved there: it is looked for so often, and no more than one is moved in so long, for that costs an executor, and what takes
# long only at first, to import a module, must come to its end in the first lane. In the second lane, one that others have
# overtaken is run again so often, and then in the first lane. Its executor ends when nobody has needed it for a minute.
SLOW_MUTATION_S = 0.02
SLOW_MUTATION_LOOK_S = 0.01
SLOW_MUTATION_MOVES_S = 1.0
SECOND_LANE_ATTEMPTS_MAX = 3
SECOND_LANE_IDLE_S = 60.0
# The share of one processor that threads left behind by functions may use for a second. On a busy machine an endless loop
# gets no more than a tenth of one; what exporters and the like do in the background takes far less.
STRAY_CPU_SHARE_MAX = 0.1
# How long the process may lack an executor before `/healthz` calls for a restart.
EXECUTOR_MISSING_S_MAX = 30.0

# Pushes. Contents are kept and forgotten in transactions of some MiB, in parts that fit into a document; the bounds of a
# whole version keep what the process that imports it, and every start, have to read.
PUSH_FILES_MAX = 10_000
PUSH_FILE_BYTES_MAX = 16 * MIB
PUSH_BYTES_MAX = 128 * MIB
# How many versions, the live one among them, a rollback can choose from, and what the files of the others may take that the
# live one does not have: every start reads them.
KEPT_VERSIONS_MAX = 20
KEPT_VERSIONS_BYTES = 32 * MIB
SOURCE_PART_BYTES = 512 * 1024
SOURCE_BATCH_BYTES = 4 * MIB

# Logs of one call.
LOG_LINE_LENGTH_MAX = 32768
LOG_LINES_MAX = 256

# Texts of errors, and tracebacks with all causes: in characters. The log keeps thousands, and clients get them.
ERROR_TEXT_LENGTH_MAX = 32768
TRACEBACK_LENGTH_MAX = 131_072

# The newest calls that `convexpy logs` can look back to, with the texts of lines and errors.
LOG_ENTRIES_MAX = 5000
LOG_ENTRIES_BYTES_MAX = 32 * MIB

# A write-ahead log that has grown larger is cut back to this when it is empty: an import or a slow reader made it grow.
WAL_KEPT_BYTES_MAX = 16 * MIB
# Log entries that a query at an earlier timestamp goes through: they are read into memory.
HISTORY_BYTES_MAX = 32 * MIB


class TransactionBudget(msgspec.Struct, frozen=True, kw_only=True):
    """What one query or mutation may use."""

    bytes_read: int = 16 * MIB
    bytes_written: int = 16 * MIB
    documents_read: int = 32_000
    documents_written: int = 16_000
    database_queries: int = 4_096
    functions_scheduled: int = 1_000
    scheduled_function_args_bytes: int = 16 * MIB


class Knobs(msgspec.Struct, frozen=True, kw_only=True):
    """Limits that a deployment may override."""

    transaction: TransactionBudget = TransactionBudget()

    # Execution. CPU seconds of one call; wall time, without waits for a processor, may be five times that.
    function_cpu_s: float = 2.0
    function_wall_factor: float = 5.0
    action_timeout_s: float = 600.0
    action_loop_block_s: float = 60.0
    executor_memory_bytes: int = 512 * MIB
    import_s: float = 60.0
    action_executor_memory_bytes: int = 2048 * MIB
    log_bytes_per_call: int = 8 * MIB
    query_executors: int = 1
    query_cache_bytes: int = 32 * MIB
    result_bytes: int = 16 * MIB

    # Scheduling: how many jobs run at once; how long a finished one can be looked up.
    scheduled_mutations: int = 16
    scheduled_actions: int = 64
    scheduled_kept_s: float = 7 * 86_400.0

    # Commit and storage.
    tail_checkpoint_bytes: int = 24 * MIB
    tail_bytes_max: int = 128 * MIB
    group_bytes_max: int = 8 * MIB
    speculative_bytes_max: int = 64 * MIB
    checkpoint_idle_s: float = 2.0
    checkpoint_age_s: float = 30.0
    log_rows_kept: int = 10_000
    log_bytes_kept: int = 64 * MIB
    history_s: float = 240.0
    replay_age_s: float = 14 * 86_400.0

    # Clients.
    request_body_bytes: int = 16 * MIB + 2000
    file_bytes: int = 1024 * 1024 * MIB
    socket_message_bytes: int = 20 * MIB
    socket_buffer_bytes: int = 64 * MIB
    mutations_waiting_per_socket: int = 1000
    actions_running_per_socket: int = 500
    actions_running_per_address: int = 0
    transition_chunk_bytes: int = 5_000_000
    ping_interval_s: float = 15.0
    keep_alive_s: float = 75.0
    connections_per_address: int = 0
    stop_grace_s: float = 8.0
