"""How property tests run: the same examples every time, and no limit that depends on the machine's speed."""

from hypothesis import HealthCheck, settings

PROPERTY = settings(
    derandomize=True, deadline=None, database=None, max_examples=30, suppress_health_check=list(HealthCheck)
)
