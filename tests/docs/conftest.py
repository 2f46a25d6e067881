"""The app of the fragments is not of these tests: it is run where they have put it together."""

collect_ignore = ["app"]
