"""What holds for every test: how long an example takes is no failure, on whatever machine."""

import os

from hypothesis import HealthCheck, settings

# The networks of the tests are so small that threads of torch would only wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")

settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")
