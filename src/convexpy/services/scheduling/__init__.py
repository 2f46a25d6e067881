"""Scheduled jobs and cron jobs: run when they are due."""
