"""The work of `convexpy deploy`: what surrounds it, its plan in words, the build, the steps."""
