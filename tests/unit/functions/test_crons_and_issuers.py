"""Cron jobs and token issuers as data, and their wrong definitions."""

from typing import Any

import msgspec
import pytest

from convexpy import (
    Int64,
    MutationCtx,
    QueryCtx,
    auth_config,
    cron_jobs,
    custom_jwt,
    internal,
    mutation,
    oidc,
    query,
)
from convexpy.errors import ProjectError


@mutation
def tidy(ctx: MutationCtx, days: int = 3) -> None: ...


@query
def reads(ctx: QueryCtx) -> None: ...


tidy.definition.path = "maintenance:tidy"
reads.definition.path = "maintenance:reads"


def test_schedules_are_data() -> None:
    crons = cron_jobs()
    crons.interval("poll", internal.poll.run, {"id": Int64(5)}, minutes=5)
    crons.hourly("h", tidy, minute_utc=0)
    crons.daily("d", tidy, {"days": 2.0}, hour_utc=1, minute_utc=2)
    crons.weekly("w", "maintenance:tidy", day_of_week="sunday", hour_utc=3, minute_utc=0)
    crons.monthly("m", tidy, day=31, hour_utc=4, minute_utc=0)
    crons.cron("c", "*/5 8-17 * jan,MAR mon-fri", tidy)
    assert [(job.name, job.schedule) for job in crons.describe()] == [
        ("poll", {"type": "interval", "seconds": 300}),
        ("h", {"type": "hourly", "minuteUTC": 0}),
        ("d", {"type": "daily", "hourUTC": 1, "minuteUTC": 2}),
        ("w", {"type": "weekly", "dayOfWeek": "sunday", "hourUTC": 3, "minuteUTC": 0}),
        ("m", {"type": "monthly", "day": 31, "hourUTC": 4, "minuteUTC": 0}),
        ("c", {"type": "cron", "cronExpr": "*/5 8-17 * jan,MAR mon-fri"}),
    ]
    assert [job.function for job in crons.describe()] == ["poll:run"] + ["maintenance:tidy"] * 5
    assert crons.describe()[0].args == {"id": {"$integer": "BQAAAAAAAAA="}}
    assert crons.describe()[2].args == {"days": 2}
    assert str(crons.describe()[0].file).endswith("test_crons_and_issuers.py")


@pytest.mark.parametrize(
    ("define", "words"),
    [
        (lambda crons: crons.interval("x", tidy), "seconds, minutes or hours"),
        (lambda crons: crons.interval("x", tidy, seconds=1, hours=1), "seconds, minutes or hours"),
        (lambda crons: crons.interval("x", tidy, seconds=0), "longer than 0"),
        (lambda crons: crons.hourly("x", tidy, minute_utc=60), "minute_utc is a whole number from 0 to 59"),
        (lambda crons: crons.daily("x", tidy, hour_utc=24, minute_utc=0), "hour_utc is"),
        (lambda crons: crons.daily("x", tidy, hour_utc=True, minute_utc=0), "hour_utc is"),
        (
            lambda crons: crons.weekly("x", tidy, day_of_week="Sunday", hour_utc=0, minute_utc=0),
            "is not a day of the week",
        ),
        (lambda crons: crons.monthly("x", tidy, day=0, hour_utc=0, minute_utc=0), "day is"),
        (lambda crons: crons.cron("x", "* * * *", tidy), "it has 4 fields"),
        (lambda crons: crons.cron("x", "60 * * * *", tidy), "minute '60'"),
        (lambda crons: crons.cron("x", "* * * * fri-mon", tidy), "day of week 'fri-mon'"),
        (lambda crons: crons.cron("x", "*/0 * * * *", tidy), "minute '\\*/0'"),
        (lambda crons: crons.cron("x", "* * * foo *", tidy), "month 'foo'"),
        (lambda crons: crons.hourly("", tidy, minute_utc=0), "printable ASCII"),
        (lambda crons: crons.hourly("taken", tidy, minute_utc=0), "two cron jobs are called 'taken'"),
        (
            lambda crons: crons.hourly("x", tidy, {"days": {1}}, minute_utc=0),
            "unsupported value at args.days: set",
        ),
    ],
)
def test_wrong_jobs_say_where_they_are(define: Any, words: str) -> None:
    crons = cron_jobs()
    crons.hourly("taken", tidy, minute_utc=0)
    with pytest.raises(ProjectError, match=words) as caught:
        define(crons)
    assert caught.value.location is not None
    assert caught.value.location.file.endswith("test_crons_and_issuers.py")


def test_what_a_job_names_is_known_once_functions_are() -> None:
    crons = cron_jobs()
    crons.hourly("q", reads, minute_utc=0)  # type: ignore[arg-type]
    crons.hourly("n", "no path", minute_utc=0)
    for job in crons.jobs:
        with pytest.raises(ProjectError, match=f"cron job '{job.name}'"):
            _ = job.path


def test_issuers() -> None:
    config = auth_config(
        providers=[
            oidc(domain="https://a.example", application_id="convex"),
            custom_jwt(issuer="https://b.example", jwks="https://b.example/keys", algorithm="ES256"),
        ]
    )
    assert msgspec.to_builtins(config.describe()) == (
        {"domain": "https://a.example", "applicationID": "convex"},
        {
            "type": "customJwt",
            "issuer": "https://b.example",
            "jwks": "https://b.example/keys",
            "algorithm": "ES256",
        },
    )


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: auth_config(providers=[None]), "oidc"),
        (lambda: oidc(domain="", application_id="x"), "domain is the address"),
        (lambda: custom_jwt(issuer="https://b", jwks="https://b", algorithm="HS256"), "'ES256' or 'EdDSA'"),
        (
            lambda: custom_jwt(issuer="https://b", jwks="keys.json", algorithm="RS256"),
            "an address or a data URL",
        ),
        (lambda: oidc(domain="https://b", application_id=""), "application_id must be the audience"),
        (lambda: oidc(domain="https://b", application_id=None), "application_id must be the audience"),
        (
            lambda: custom_jwt(issuer="https://b", jwks="https://b", algorithm="RS256", application_id=" "),
            "application_id must be the audience",
        ),
        (lambda: custom_jwt(issuer=" ", jwks="https://b", algorithm="RS256"), "issuer is the address"),
    ],
)
def test_wrong_issuers(make: Any, words: str) -> None:
    with pytest.raises(ProjectError, match=words) as caught:
        make()
    assert caught.value.location is not None
