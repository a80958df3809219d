import pytest
from pymatgen.core import Lattice, Structure

from vacancy_flows.structures import built_in_host, prepare_host


@pytest.fixture(scope="session")
def host24():
    return prepare_host(built_in_host("Li2MnO3"))


@pytest.fixture(scope="session")
def host12():
    return prepare_host(built_in_host("Li2MnO3", "primitive"))


@pytest.fixture
def licoo2():
    """Layered LiCoO2, R-3m, primitive: Co on a triangular lattice.

    a 2.815, c 14.05 Å, z(O) 0.2605 (Orman and Wiseman, Acta Cryst. C 40, 12 (1984), rounded).
    """
    hexagonal = Lattice.hexagonal(2.815, 14.05)
    return Structure.from_spacegroup(
        "R-3m", hexagonal, ["Li", "Co", "O"], [[0, 0, 0.5], [0, 0, 0], [0, 0, 0.2605]]
    ).get_primitive_structure()
