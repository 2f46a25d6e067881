"""The watch loop of `convexpy dev`: a pure state machine, and the things that feed it."""
