"""One client's connection: its query set, identity, mutations in order, and the state version it has been told.

A pure state machine: client messages come in through `receive`, server messages go out through `send`; running
functions and checking tokens is the backend's. The one writer of `version` is `_send_transition`, so each Transition
starts where the last one ended.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from functools import partial

from convexpy.access import ANONYMOUS, Caller
from convexpy.errors import AuthError, RequestError
from convexpy.limits import SOCKET_QUERIES_MAX, Knobs
from convexpy.protocol import sync
from convexpy.protocol.sync import StateVersion
from convexpy.runtime.light_event import LightEvent
from convexpy.sync.calls import CallKind, PendingCall, PendingCalls
from convexpy.sync.entries import Key, Pending, Pin, QueryEntry, Run, Subscription
from convexpy.sync.hub import Hub
from convexpy.sync.interface import Backend, Done, Transport
from convexpy.sync.shares import UNBOUNDED, ActionShare

TRANSITIONS_QUEUED_MAX = 2


class Session:
    """A connection to one client."""

    def __init__(
        self,
        hub: Hub,
        backend: Backend,
        transport: Transport,
        knobs: Knobs,
        *,
        chunks: bool,
        share: ActionShare | None = None,
    ) -> None:
        self._hub = hub
        self._backend = backend
        self._transport = transport
        self._knobs = knobs
        self._chunks = chunks
        self.closed: bool = False
        self.session_id: str = ""
        self._connected = False
        self.version: StateVersion = StateVersion()
        self.queries: dict[int, Subscription] = {}
        self.changed: set[int] = set()
        self.pin: Pin | None = None
        self.ticks_waited = 0
        self._received_query_set = 0
        self._received_identity = 0
        self._received_ids: set[int] = set()
        self._caller = ANONYMOUS
        self.listening: LightEvent = LightEvent(is_set=True)
        """Cleared while a token is checked (what follows is of the new identity) and while too many bytes wait to be run."""
        self._checking_token = False
        self._leaving: tuple[int, str] | None = None
        self._pending = Pending()
        self._removed: list[int] = []
        self._skew_ms: int | None = None
        self.calls: PendingCalls = PendingCalls(knobs, transport.send, share or UNBOUNDED.of(""))

    @property
    def congested(self) -> bool:
        """Whether the client is slow to read: it gets fewer, fresher Transitions."""
        return self._transport.transitions_queued >= TRANSITIONS_QUEUED_MAX

    def drained(self) -> None:
        """The transport has room again: look at the session at the next tick if there is something to tell."""
        if not self.closed and self.pin is None:
            self._hub.schedule(self)

    def act_for(self, caller: Caller) -> None:
        """Act for this caller from the start: for sessions that need not authenticate over the wire."""
        self._caller = caller
        self._connected = True

    @property
    def connected(self) -> bool:
        """Whether the client has said which session it goes on with."""
        return self._connected

    @property
    def caller(self) -> Caller:
        """Who the session acts for."""
        return self._caller

    # Messages of the client

    def receive(self, data: bytes | str) -> None:
        """Take one message. A violation of the protocol is answered with a FatalError and ends the session."""
        if self.closed or self._leaving is not None:
            return
        try:
            self._dispatch(sync.decode_client_message(data))
        except RequestError as error:
            self._transport.send(sync.fatal_error(error.message))
            self.close(1002, error.code)

    def _dispatch(self, message: sync.ClientMessage) -> None:
        if not self._connected and not isinstance(message, sync.Connect | sync.Event):
            raise RequestError("the first message must be Connect", code="NotConnected")
        match message:
            case sync.Connect():
                self._connect(message)
            case sync.ModifyQuerySet():
                self._modify(message)
            case sync.Mutation():
                self._call("mutation", message)
            case sync.Action():
                self._call("action", message)
            case sync.Authenticate():
                self._authenticate(message)
            case sync.Event():
                pass

    def _connect(self, message: sync.Connect) -> None:
        if self._connected:
            raise RequestError("this connection has sent Connect before", code="AlreadyConnected")
        self._connected = True
        self.session_id = message.session_id
        if message.client_ts:
            self._skew_ms = int(message.client_ts - time.time() * 1000)
        seen = message.max_observed_timestamp
        if seen is not None and not self._backend.observed(sync.decode_ts(seen)):
            # Not a FatalError: the client shall come back, to the data that it has seen.
            self.close(1011, "InternalServerError")

    def _modify(self, message: sync.ModifyQuerySet) -> None:
        if message.base_version != self._received_query_set or message.new_version <= message.base_version:
            raise RequestError(
                f"BaseVersionMismatch: the query set is at version {self._received_query_set}, "
                f"not {message.base_version}",
                code="BaseVersionMismatch",
            )
        for modification in message.modifications:
            query_id = modification.query_id
            if isinstance(modification, sync.RemoveQuery):
                if query_id not in self._received_ids:
                    raise RequestError(f"query id {query_id} is not subscribed", code="UnknownQueryId")
                self._received_ids.remove(query_id)
            elif query_id in self._received_ids:
                raise RequestError(f"query id {query_id} is already subscribed", code="DuplicateQueryId")
            else:
                self._received_ids.add(query_id)
        if max(len(self._received_ids), len(message.modifications) // 2) > SOCKET_QUERIES_MAX:
            raise RequestError(
                f"a connection subscribes to at most {SOCKET_QUERIES_MAX} queries", code="TooManyQueries"
            )
        self._received_query_set = message.new_version
        self._pending.modifications.extend(message.modifications)
        self._hub.schedule(self)

    def _authenticate(self, message: sync.Authenticate) -> None:
        if message.base_version != self._received_identity:
            raise RequestError(
                f"BaseVersionMismatch: the identity is at version {self._received_identity}, "
                f"not {message.base_version}",
                code="BaseVersionMismatch",
            )
        self._checking_token = True
        self.listening.clear()
        self._backend.authenticate(message, self._authenticated)

    def _authenticated(self, caller: Caller | AuthError) -> None:
        self._checking_token = False
        self._listen_if_able()
        if self.closed:
            return
        if isinstance(caller, AuthError):
            self._fail_auth(caller.message, update_attempted=True)
            return
        self._received_identity += 1
        self._caller = caller
        self._pending.identity_changed = True
        self._hub.schedule(self)

    def _fail_auth(self, message: str, *, update_attempted: bool) -> None:
        self._transport.send(
            # The version before the failed one, also while a Transition that tells of an earlier one is still due:
            # clients ignore an error about a version that is older than the one they asked for last.
            sync.auth_error(message, self._received_identity, update_attempted=update_attempted)
        )
        self.close(1000, "AuthError")

    def _expired(self) -> bool:
        expires = self._caller.expires_at_s
        if expires is None or time.time() < expires:
            return False
        what = "admin key" if self._caller.admin else "token identity"
        self._fail_auth(f"Convex {what} expired", update_attempted=False)
        return True

    def _call(self, kind: CallKind, message: sync.Mutation | sync.Action) -> None:
        if self._expired():
            return
        args = bytes(message.args)
        call = self.calls.begin(kind, message.request_id, len(args))
        if call is None:
            self.close(1013, f"TooManyConcurrent{kind.capitalize()}s")
            return
        run = self._backend.run_mutation if kind == "mutation" else self._backend.run_action
        path = self._backend.canonical_path(message.udf_path)
        run(path, args, self._caller, self.session_id, call.request_id, partial(self._finished, call))
        if self.calls.too_many_bytes:
            self.listening.clear()

    def receive_oversize(self, size: int, kind: CallKind | None, request_id: int | None) -> None:
        """Fail the call whose message was too large to be read. If it is not known whose it was, the session ends.

        It ends with a FatalError: after anything else the client would come back and send the message again.
        """
        if self.closed:
            return
        limit = self._knobs.socket_message_bytes
        text = f"the message has {size} bytes, more than the limit socket_message_bytes: {limit}"
        if kind is None or request_id is None or not self._connected:
            self._transport.send(sync.fatal_error(text))
            self.close(1009, "MessageTooLarge")
            return
        call = self.calls.begin(kind, request_id, 0)
        if call is None:
            self.close(1013, f"TooManyConcurrent{kind.capitalize()}s")
            return
        self._finished(call, Done(b"null", f"the arguments are too large: {text}", None, b"[]"))

    def _finished(self, call: PendingCall, done: Done) -> None:
        if not self.closed:
            self._hub.owe(self)  # first, so that its turn comes before that of writing the response alone
        self.calls.end(call, done, answer=not self.closed)
        if not self.closed and not self.listening.is_set():
            self._listen_if_able()

    def _listen_if_able(self) -> None:
        """Take further messages, unless a token is checked, or too much waits to be run."""
        if self._checking_token or self.calls.too_many_bytes:
            self.listening.clear()
        else:
            self.listening.set()

    # What the hub asks

    def apply_pending(self) -> None:
        """Bring subscriptions in line with the query set and identity that the client has sent."""
        if not self._pending:
            return
        pending, self._pending = self._pending, Pending()
        if pending.identity_changed:
            self.resubscribe(self.queries)
        for modification in pending.modifications:
            if isinstance(modification, sync.AddQuery):
                self._add(modification)
            else:
                self._remove(modification.query_id)

    def _key(self, path: str, args: bytes, journal: str | None) -> Key:
        return Key(path, args, self._caller.claims, self._caller.access, journal)

    def _add(self, message: sync.AddQuery) -> None:
        path = self._backend.canonical_path(message.udf_path)
        key = self._key(path, self._backend.canonical_args(bytes(message.args)), message.journal)
        entry = self._hub.subscribe(self, message.query_id, key)
        self.queries[message.query_id] = Subscription(entry, key.caller, message.journal)
        self.changed.add(message.query_id)

    def _remove(self, query_id: int) -> None:
        subscription = self.queries.pop(query_id, None)
        if subscription is not None:
            self._hub.unsubscribe(self, query_id, subscription.entry)
            self._removed.append(query_id)
        self.changed.discard(query_id)

    def resubscribe(self, query_ids: Iterable[int]) -> None:
        """Subscribe to these queries for the caller as he is now; a result under way for another is not told."""
        for query_id in list(query_ids):
            subscription = self.queries[query_id]
            self._hub.unsubscribe(self, query_id, subscription.entry)
            shared = subscription.entry.key
            key = self._key(shared.path, shared.args, subscription.journal)
            subscription.entry, subscription.caller = self._hub.subscribe(self, query_id, key), key.caller
            self.changed.add(query_id)
            if self.pin is not None and query_id in self.pin.results:
                self.pin.void = True

    def acknowledge(self, ts: int) -> bool:
        """Send a Transition to this moment that changes nothing; False if there is more to tell."""
        if self.congested or self.pin or self.changed or self._removed or self._pending:
            return False
        if not self._expired():
            version = self.version
            self._tell(StateVersion(version.query_set, version.identity, max(ts, version.ts)), ())
            self._leave_if_done()
        return True

    def pin_to(self, row: int, ts: int, runs: Mapping[QueryEntry, Run]) -> None:
        """Fix the moment of the next Transition; it leaves when all `runs` are in."""
        if self._expired():
            return
        results: dict[int, Run] = {}
        for query_id in self.changed:
            subscription = self.queries.get(query_id)
            if subscription is not None:
                run = runs.get(subscription.entry) or subscription.entry.latest
                assert run is not None
                results[query_id] = run
        self.changed.clear()
        removed, self._removed = self._removed, []
        waiting = set(runs.values())
        self.pin = Pin(row, ts, self._received_query_set, self._received_identity, waiting, results, removed)
        for run in waiting:
            run.waiting[self] = None
        if not waiting:
            self._complete()

    def run_finished(self, run: Run) -> None:
        """One of the runs that the pin waits for is in."""
        pin = self.pin
        if self.closed or pin is None or run not in pin.waiting:
            return
        pin.waiting.discard(run)
        if not pin.waiting:
            self._complete()

    def _complete(self) -> None:
        pin, self.pin = self.pin, None
        assert pin is not None
        void, row = pin.void, pin.row
        for run in pin.results.values():
            void = void or run.void or run.row > row
        if void:
            # An executor was lost and a query ran again at a later row, the borders of a page have moved, or the
            # result is for another caller: this moment cannot be told any more.
            self.changed.update(pin.results)
            self._removed = pin.removed + self._removed
            self._hub.schedule(self)
            return
        self._send_transition(pin)
        if not self._leave_if_done() and (self.changed or self._pending):
            self._hub.schedule(self)

    def _leave_if_done(self) -> bool:
        if self._leaving is None or len(self.calls) or self._hub.is_scheduled(self):
            return False
        self.close(*self._leaving)
        return True

    def _send_transition(self, pin: Pin) -> None:
        modifications: list[tuple[int, bytes]] = [
            (query_id, sync.query_removed(query_id)) for query_id in pin.removed
        ]
        for query_id, run in pin.results.items():
            subscription = self.queries.get(query_id)
            if subscription is None:
                continue
            subscription.journal = run.journal or subscription.journal
            if run.seen_hash != subscription.sent_hash:
                subscription.sent_hash = run.seen_hash
                modifications.append((query_id, run.modification(query_id)))
        if len(modifications) > 1:
            modifications.sort(key=lambda pair: pair[0])
        end = StateVersion(pin.query_set, pin.identity, max(pin.ts, self.version.ts))
        self._tell(end, tuple([data for _, data in modifications]))

    def _tell(self, end: StateVersion, parts: tuple[bytes, ...]) -> None:
        if self.version.ts and end.identity == self.version.identity:
            message = self._hub.transition(self.version, end, parts)
        else:
            # The clocks are for planning a token's refresh. Without them one Transition is the same for many clients.
            message = sync.transition(self.version, end, parts, sync.clocks(self._skew_ms, time.time_ns()))
        self.version = end
        limit = self._knobs.transition_chunk_bytes
        if self._chunks and len(message) > limit:
            self._transport.send(*sync.transition_chunks(message, limit, str(id(message))), transition=True)
        else:
            self._transport.send(message, transition=True)

    def leave(self, code: int, reason: str) -> None:
        """Take no more messages, and close when every call is answered and the Transition that covers them is sent."""
        self._leaving = (code, reason)
        if not len(self.calls):
            self.close(code, reason)

    def close(self, code: int, reason: str) -> None:
        """End the session: drop its subscriptions, close the socket. What runs goes on."""
        if self.closed:
            return
        self.closed = True
        self._hub.forget(self)
        for query_id, subscription in self.queries.items():
            self._hub.unsubscribe(self, query_id, subscription.entry)
        self.queries.clear()
        self.listening.set()
        self._transport.close(code, reason)
