"""What holds for every test: one thread for each process, since several of them run at once."""

import logging
import os

import pytest
from hypothesis import settings

# The same examples every time: a change is judged by what it changes. `pytest
# --hypothesis-profile explore` looks for new ones (docs/developing.md).
settings.register_profile("same", derandomize=True)
settings.register_profile("explore", derandomize=False)
settings.load_profile("same")

for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(variable, "1")  # before torch and numpy are imported


@pytest.fixture(autouse=True)
def _jobflow_logs_nowhere_else():
    """Take back the handler that jobflow's FireWorks task leaves: its stream ends with the test."""
    yield
    logging.getLogger("jobflow").handlers.clear()
