"""Where the electrons of a vacancy start, with another engine before the one that counts."""

import pytest
from pymatgen.core import Lattice, Structure

from vacancy_flows.engines import get_engine
from vacancy_flows.plan import vacancy_calculation
from vacancy_flows.planning import plan_hosts
from vacancy_flows.structures import SiteClass
from vacancy_flows.structures.neel import common_sign


@pytest.mark.parametrize(
    ("moments", "sign"),
    [([3.0, 0.05, -0.05], 1), ([-3.0, 0.0], -1), ([3.0, -0.2], None), ([0.0, 0.05], None)],
)
def test_the_sign_that_moments_share(moments, sign):
    assert common_sign(moments) == sign


@pytest.fixture
def titanate(tmp_path):
    """SrTiO3, whose Ti4+ has no moment and takes an electron of a vacancy."""
    sites = [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]]
    cell = Structure(Lattice.cubic(3.9), ["Sr", "Ti", "O", "O", "O"], sites)
    file = tmp_path / "titanate.cif"
    cell.make_supercell([1, 1, 2]).to(str(file))
    return file


@pytest.mark.parametrize("prerelax", ["chgnet", "none"])
def test_a_host_without_moments_gets_its_electrons_placed(load, titanate, prerelax):
    host = {"name": "SrTiO3", "structure": str(titanate)}
    campaign = load(engine="gpaw", hosts=[host], relax={"prerelax": prerelax})
    (plan,) = plan_hosts(campaign, get_engine("gpaw", {"u": {"Ti": 3.0}}))
    pristine = plan.calculation("pristine", "u0", {}, plan.root, "fixed")
    site = SiteClass("O-3c-1", ("O-3c-1",), "3c", 1, 6)
    found = vacancy_calculation(plan, pristine, plan.root, site)
    assert found.operation["magnetic_starts"] == [{"Ti-1b-1": 1.0, "Ti-1b-2": 1.0}]
