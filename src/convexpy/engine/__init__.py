"""From calls to commits and results: mutations, queries, actions, the timeline of the log, and the live version."""
