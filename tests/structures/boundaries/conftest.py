import pytest

from vacancy_flows.structures.boundaries import Limits, Orientation, find_matches, preset_boundary
from vacancy_flows.structures.ncm import layered_host, ordered_ncm

# ingrained's reading of the paper: project -a, upward c, top -71, bottom +38 (boundaries.md).
TILT = Orientation((-1, 0, 0), (0, 0, 1), -71.0, 38.0)


@pytest.fixture(scope="session")
def r3m():
    return layered_host("Co")


@pytest.fixture(scope="session")
def ordered():
    return ordered_ncm()


@pytest.fixture(scope="session")
def tilt_match(r3m):
    return find_matches(r3m, TILT, Limits(), depth=2)[0]


@pytest.fixture(scope="session")
def tilt_109():
    return preset_boundary("tilt_109")[0]


@pytest.fixture(scope="session")
def twin_104():
    return preset_boundary("twin_104")[0]
