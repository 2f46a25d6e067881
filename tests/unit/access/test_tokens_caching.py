"""How often issuers are asked, counted in fetches, and what holds while they don't answer."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import msgspec
import pytest
from support.issuer import DISCOVERY, Issuer, jwk_of, private_key
from support.processes import wait_for

from convexpy.access import TokenRefused, TokenVerifier, Verified
from convexpy.access._fetching import KeyFetcher
from convexpy.limits import (
    ISSUER_KEYS_FRESH_S,
    ISSUER_KEYS_STALE_S,
    ISSUER_RETRY_S,
    VERIFIED_TOKENS_MAX,
)
from convexpy.protocol.app_description import ProviderDescription
from convexpy.runtime import ManualClock


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with Issuer(algorithm="EdDSA") as running:
        yield running


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def verifier(issuer: Issuer, clock: ManualClock) -> TokenVerifier:
    found = TokenVerifier(development=False, monotonic=clock.monotonic)
    found.configure([issuer.provider()])
    return found


def verify(verifier: TokenVerifier, token: str) -> Verified:
    return asyncio.run(verifier.verify(token))


def refusal(verifier: TokenVerifier, token: str) -> TokenRefused:
    with pytest.raises(TokenRefused) as caught:
        verify(verifier, token)
    return caught.value


def test_nothing_is_asked_before_the_first_token(issuer: Issuer, verifier: TokenVerifier) -> None:
    for token in issuer.forged().values():
        if token != issuer.forged()["unknown key id"]:
            with pytest.raises(TokenRefused):
                verifier.verify_cached(token[:40])
    assert issuer.requests == []


def test_what_is_wrong_without_a_key_costs_no_fetch(issuer: Issuer, verifier: TokenVerifier) -> None:
    for name in (
        "expired",
        "not yet valid",
        "algorithm none",
        "other audience",
        "unknown issuer",
        "no subject",
        "huge",
    ):
        refusal(verifier, issuer.forged()[name])
    assert issuer.requests == []


def test_keys_are_fetched_once_for_many_tokens(issuer: Issuer, verifier: TokenVerifier) -> None:
    token = issuer.token("alice")
    assert verifier.verify_cached(token) is None
    verify(verifier, token)
    for n in range(20):
        found = verifier.verify_cached(issuer.token(f"user{n}"))
        assert found is not None
        assert found.claims["subject"] == f"user{n}"
    assert issuer.fetches == 1
    assert len(issuer.requests) == 2


def test_keys_are_fetched_again_when_they_are_old(
    issuer: Issuer, verifier: TokenVerifier, clock: ManualClock
) -> None:
    token = issuer.token()
    verify(verifier, token)
    clock.advance(ISSUER_KEYS_FRESH_S - 1)
    assert verifier.verify_cached(token) is not None
    clock.advance(1)
    assert verifier.verify_cached(token) is None
    verify(verifier, token)
    assert issuer.fetches == 2


def test_a_new_key_is_found_at_once(issuer: Issuer, verifier: TokenVerifier) -> None:
    verify(verifier, issuer.token())
    issuer.rotate(keep=True)
    assert verify(verifier, issuer.token("bob")).claims["subject"] == "bob"
    assert issuer.fetches == 2


def test_a_new_key_is_found_without_key_ids_too(issuer: Issuer, verifier: TokenVerifier) -> None:
    verify(verifier, issuer.token(header={"kid": None}))
    issuer.rotate()
    assert verify(verifier, issuer.token("bob", header={"kid": None})).claims["subject"] == "bob"
    assert issuer.fetches == 2
    assert (
        "not by the issuer's key"
        in refusal(verifier, issuer.token(header={"kid": None})[:-4] + "AAAA").reason
    )
    assert issuer.fetches == 2


def test_a_removed_key_is_trusted_no_longer_than_the_keys_are_fresh(
    issuer: Issuer, verifier: TokenVerifier, clock: ManualClock
) -> None:
    old = issuer.token(expires_in_s=3600)
    verify(verifier, old)
    issuer.rotate()
    assert verifier.verify_cached(old) is not None
    clock.advance(ISSUER_KEYS_FRESH_S)
    assert "no such key" in refusal(verifier, old).reason


def test_a_token_remembered_by_a_key_goes_with_the_key(issuer: Issuer, verifier: TokenVerifier) -> None:
    old = issuer.token(expires_in_s=3600)
    verify(verifier, old)
    issuer.rotate()
    verify(verifier, issuer.token())  # fetches the keys again
    with pytest.raises(TokenRefused, match="Could not verify"):
        verifier.verify_cached(old)


def test_a_key_replaced_under_its_old_id_takes_its_tokens_with_it(
    issuer: Issuer, verifier: TokenVerifier, clock: ManualClock
) -> None:
    old = issuer.token("alice", expires_in_s=3600)
    verify(verifier, old)
    issuer.keys = {"keys": [jwk_of("EdDSA", private_key("EdDSA", 1), kid="ed-0")]}
    clock.advance(ISSUER_KEYS_FRESH_S)
    assert "not by the issuer's key" in refusal(verifier, old).reason
    verify(verifier, issuer.token(key=private_key("EdDSA", 1)))


def test_forged_key_ids_are_no_flood_of_fetches(
    issuer: Issuer, verifier: TokenVerifier, clock: ManualClock
) -> None:
    verify(verifier, issuer.token())
    for n in range(50):
        refusal(verifier, issuer.token(header={"kid": f"forged-{n}"}))
    assert issuer.fetches == 2
    clock.advance(ISSUER_RETRY_S - 1)
    refusal(verifier, issuer.token(header={"kid": "forged"}))
    assert issuer.fetches == 2
    clock.advance(1)
    refusal(verifier, issuer.token(header={"kid": "forged"}))
    assert issuer.fetches == 3
    assert verifier.verify_cached(issuer.token("alice")) is not None


def test_forged_key_ids_before_the_first_fetch(issuer: Issuer, verifier: TokenVerifier) -> None:
    for n in range(10):
        assert "no such key" in refusal(verifier, issuer.token(header={"kid": f"forged-{n}"})).reason
    assert issuer.fetches == 2


def test_a_failure_holds_for_a_while(issuer: Issuer, verifier: TokenVerifier, clock: ManualClock) -> None:
    issuer.status = 500
    refused = refusal(verifier, issuer.token())
    assert refused.code == "AuthProviderDiscoveryFailed"
    assert "status 500" in refused.reason
    assert "500" not in refused.message
    issuer.status = 200
    refusal(verifier, issuer.token())
    assert len(issuer.requests) == 1
    clock.advance(ISSUER_RETRY_S)
    verify(verifier, issuer.token())


def test_a_fault_of_the_server_itself_is_no_flood_either(issuer: Issuer) -> None:
    asked = 0

    async def broken(host: str, port: int) -> list[str]:
        nonlocal asked
        asked += 1
        raise ZeroDivisionError

    issuer.redirects = {DISCOVERY: "https://elsewhere.example.com/"}
    verifier = TokenVerifier(development=False, fetcher=KeyFetcher(development=False, resolve=broken))
    verifier.configure([issuer.provider()])
    with pytest.raises(ZeroDivisionError):
        verify(verifier, issuer.token())
    for _ in range(3):
        assert "unexpected ZeroDivisionError" in refusal(verifier, issuer.token()).reason
    assert asked == 1


def test_known_keys_stay_trusted_while_the_issuer_fails(
    issuer: Issuer, verifier: TokenVerifier, clock: ManualClock
) -> None:
    verify(verifier, issuer.token())
    issuer.status = 503
    clock.advance(ISSUER_KEYS_FRESH_S)
    assert verify(verifier, issuer.token("bob")).claims["subject"] == "bob"
    assert verifier.verify_cached(issuer.token("carol")) is not None
    assert len(issuer.requests) == 3
    refused = refusal(verifier, issuer.token(header={"kid": "new"}))
    assert refused.code == "AuthProviderDiscoveryFailed"
    clock.advance(ISSUER_KEYS_STALE_S - ISSUER_KEYS_FRESH_S)
    assert refusal(verifier, issuer.token("bob")).code == "AuthProviderDiscoveryFailed"
    issuer.status = 200
    clock.advance(ISSUER_RETRY_S)
    verify(verifier, issuer.token("bob"))


def test_a_failing_search_for_a_key_harms_no_known_key(issuer: Issuer, verifier: TokenVerifier) -> None:
    verify(verifier, issuer.token())
    issuer.status = 500
    assert refusal(verifier, issuer.token(header={"kid": "new"})).code == "AuthProviderDiscoveryFailed"
    assert verifier.verify_cached(issuer.token("bob")) is not None


def test_a_push_keeps_the_keys_of_issuers_that_stay(issuer: Issuer, verifier: TokenVerifier) -> None:
    token = issuer.token()
    verify(verifier, token)
    verifier.configure(
        [ProviderDescription(domain="https://a.example.com", application_id="x"), issuer.provider()]
    )
    assert verifier.verify_cached(token) is not None
    assert issuer.fetches == 1
    verifier.configure([msgspec.structs.replace(issuer.provider(), application_id="other")])
    with pytest.raises(TokenRefused, match="No auth provider"):
        verifier.verify_cached(token)
    verifier.configure([])
    verifier.configure([issuer.provider()])
    assert verifier.verify_cached(token) is None


def test_customjwt_and_oidc_of_one_issuer_have_keys_of_their_own(
    issuer: Issuer, verifier: TokenVerifier
) -> None:
    verify(verifier, issuer.token())
    verifier.configure([issuer.custom_provider()])
    assert verifier.verify_cached(issuer.token()) is None
    verify(verifier, issuer.token())
    verifier.configure([issuer.custom_provider(application_id=None)])
    assert verifier.verify_cached(issuer.token(aud=None)) is not None
    assert issuer.fetches == 2


def test_remembered_tokens_are_bounded(issuer: Issuer, verifier: TokenVerifier) -> None:
    verify(verifier, issuer.token())
    for n in range(VERIFIED_TOKENS_MAX + 10):
        verifier.verify_cached(issuer.token(f"user{n}"))
    assert len(verifier._remembered) == VERIFIED_TOKENS_MAX


# Several at once


def in_background(issuer: Issuer, work: Callable[[], Awaitable[Any]], arrived: int = 1) -> Any:
    """Run `work` while the issuer holds its answers back until so many requests have arrived."""
    with issuer.holding():
        outcome: list[Any] = []
        thread = threading.Thread(target=lambda: outcome.append(asyncio.run(_run(work))))
        thread.start()
        wait_for(lambda: len(issuer.requests) >= arrived, what="a request")
    thread.join(20)
    return outcome[0]


async def _run(work: Callable[[], Awaitable[Any]]) -> Any:
    return await work()


def test_many_waiting_tokens_share_one_fetch(issuer: Issuer, verifier: TokenVerifier) -> None:
    async def work() -> list[Verified]:
        return await asyncio.gather(*(verifier.verify(issuer.token(f"user{n}")) for n in range(50)))

    found = in_background(issuer, work)
    assert [verified.claims["subject"] for verified in found] == [f"user{n}" for n in range(50)]
    assert len(issuer.requests) == 2


def test_one_who_gives_up_does_not_end_the_fetch_of_the_others(
    issuer: Issuer, verifier: TokenVerifier
) -> None:
    async def work() -> Verified:
        first = asyncio.create_task(verifier.verify(issuer.token("first")))
        second = asyncio.create_task(verifier.verify(issuer.token("second")))
        while not issuer.requests:
            await asyncio.sleep(0.005)
        first.cancel()
        await asyncio.wait([first])
        assert first.cancelled()
        issuer._open.set()
        return await second

    assert in_background(issuer, work, arrived=2).claims["subject"] == "second"
    assert len(issuer.requests) == 2


def test_a_slow_issuer_blocks_no_other(issuer: Issuer, verifier: TokenVerifier) -> None:
    with Issuer(algorithm="EdDSA") as quick, issuer.holding():
        verifier.configure([issuer.provider(), quick.provider()])

        async def work() -> None:
            slow = asyncio.create_task(verifier.verify(issuer.token("slow")))
            while not issuer.requests:
                await asyncio.sleep(0.005)
            assert (await verifier.verify(quick.token("quick"))).claims["subject"] == "quick"
            assert not slow.done()
            issuer._open.set()
            assert (await slow).claims["subject"] == "slow"

        asyncio.run(work())


def test_an_issuer_that_does_not_answer_is_given_up(issuer: Issuer) -> None:
    verifier = TokenVerifier(development=False, fetcher=KeyFetcher(development=False, within_s=0.5))
    verifier.configure([issuer.provider()])
    with issuer.holding():
        refused = refusal(verifier, issuer.token())
    assert refused.code == "AuthProviderDiscoveryFailed"


def test_a_push_during_a_fetch_decides(issuer: Issuer, verifier: TokenVerifier) -> None:
    async def work() -> BaseException | Verified:
        waiting = asyncio.create_task(verifier.verify(issuer.token()))
        while not issuer.requests:
            await asyncio.sleep(0.005)
        verifier.configure([])
        issuer._open.set()
        return (await asyncio.gather(waiting, return_exceptions=True))[0]

    refused = in_background(issuer, work)
    assert isinstance(refused, TokenRefused)
    assert refused.code == "NoAuthProvider"


def test_closing_ends_fetches_and_refuses_those_who_wait(issuer: Issuer, verifier: TokenVerifier) -> None:
    async def work() -> BaseException | Verified:
        waiting = asyncio.create_task(verifier.verify(issuer.token()))
        while not issuer.requests:
            await asyncio.sleep(0.005)
        await verifier.close()
        return (await asyncio.gather(waiting, return_exceptions=True))[0]

    with issuer.holding():
        refused = asyncio.run(work())
    assert isinstance(refused, TokenRefused)
    assert "stopping" in refused.reason


@pytest.mark.slow
def test_a_server_without_providers_loads_no_client_and_no_cryptography() -> None:
    code = (
        "import sys\nfrom convexpy.access import TokenVerifier\nverifier = TokenVerifier(development=True)\n"
        "verifier.configure([])\n"
        "try: verifier.verify_cached('a.b.c')\nexcept Exception: pass\n"
        "print([name for name in ('httpx', 'jwt', 'cryptography') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
