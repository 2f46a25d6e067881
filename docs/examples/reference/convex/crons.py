"""Cron jobs of the examples in the Python reference."""

# example: cron_jobs Crons
from convexpy import cron_jobs, internal

crons = cron_jobs()
crons.interval("poll", internal.notes.remove, {"noteId": ""}, minutes=5)
crons.daily("report", internal.notes.remove, {"noteId": ""}, hour_utc=6, minute_utc=30)
crons.cron("weekdays", "0 9 * * 1-5", internal.notes.remove, {"noteId": ""})
# end
