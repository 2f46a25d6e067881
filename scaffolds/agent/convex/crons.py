"""What runs by the clock (UTC)."""

from convexpy import cron_jobs

from . import maintenance

crons = cron_jobs()
crons.hourly("end hung sessions", maintenance.end_hung_sessions, minute_utc=0)
crons.daily("report", maintenance.daily_report, hour_utc=0, minute_utc=5)
crons.weekly("delete old sessions", maintenance.delete_old_sessions, day_of_week="sunday", hour_utc=3, minute_utc=0)
crons.cron("health", "*/5 * * * *", maintenance.health)
