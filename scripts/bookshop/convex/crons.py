from convexpy import cron_jobs

from . import shop

crons = cron_jobs()
crons.daily("close the day", shop.close_day, hour_utc=22, minute_utc=0)
crons.interval("check prices", shop.check_prices, minutes=15)
