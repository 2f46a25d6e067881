"""What runs by the clock."""

from convexpy import cron_jobs

from . import users

crons = cron_jobs()
crons.interval("mark who is away", users.mark_away, seconds=30)
