"""Settings that all unit tests share."""

from hypothesis import HealthCheck, settings

# Machines that run the tests may be busy: neither a slow example nor slow generation is a fault.
settings.register_profile("convexpy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("convexpy")
