"""`convexpy schedule` and `crons`: scheduled functions and cron jobs."""
