"""Inputs of O2, Li and Li2O, tag by tag, and what they share with the hosts."""

import pytest

from vacancy_flows.engines.base import default_reference
from vacancy_flows.engines.vasp import VaspSettings
from vacancy_flows.engines.vasp.reference_sets import ReferenceSetGenerator
from vacancy_flows.engines.vasp.sets import VacancyRelaxSetGenerator
from vacancy_flows.errors import InputError

pytestmark = pytest.mark.filterwarnings("ignore:POTCAR data")  # ours are synthetic

REFERENCE = {
    "ALGO": "Normal",
    "EDIFF": 1e-6,
    "EDIFFG": -0.01,
    "ENCUT": 520.0,
    "GGA": "Pe",
    "IBRION": 2,
    "ICHARG": 2,
    "ISIF": 2,
    "ISMEAR": 0,
    "ISPIN": 2,
    "ISTART": 0,
    "ISYM": 0,
    "LAECHG": False,
    "LASPH": True,
    "LCHARG": False,
    "LORBIT": 11,
    "LREAL": False,
    "LWAVE": True,
    "NELM": 200,
    "NELMIN": 5,
    "NSW": 500,
    "PREC": "Accurate",
    "SIGMA": 0.05,
}
# Own to a cell or a reference: moments, +U, symmetry, the cell's freedom.
OWN = {"MAGMOM", "NUPDOWN", "ISPIN", "ISYM", "ISIF", "LMAXMIX"}


def test_o2_is_a_triplet_in_a_box(written):
    reference = default_reference("O2")
    generator = ReferenceSetGenerator(kind="O2", cell=reference.cell)
    files = written(generator, reference.structure)
    assert files["incar"] == {**REFERENCE, "MAGMOM": [1.0, 1.0], "NUPDOWN": 2}
    assert files["mesh"] == (1, 1, 1)
    lengths = files["poscar"].structure.lattice.abc
    assert len({round(length, 6) for length in lengths}) == 3  # no symmetry but the molecule's


@pytest.mark.parametrize(("kind", "counts"), [("Li", 24), ("Li2O", 18)])
def test_li_and_li2o_at_the_hosts_cutoff(written, kind, counts):
    reference = default_reference(kind)
    files = written(ReferenceSetGenerator(kind=kind, cell=reference.cell), reference.structure)
    wanted = {**REFERENCE, "ISPIN": 1, "ISYM": 2, "ISIF": 3}
    assert files["incar"] == wanted
    assert files["mesh"] == (counts,) * 3


def test_references_of_paper_b(written):
    reference = default_reference("Li")
    settings = VaspSettings(preset="boundary")
    files = written(ReferenceSetGenerator(kind="Li", settings=settings), reference.structure)
    assert files["incar"]["ENCUT"] == 353.6
    assert files["potcar"] == ["Li"]
    assert files["mesh"] == (24, 24, 24)  # a metal: denser than length 30


def test_a_reference_keeps_its_symmetry_policy():
    settings = VaspSettings(incar={"ISYM": 2})
    generator = ReferenceSetGenerator(kind="O2", settings=settings)
    inputs = generator.get_input_set(default_reference("O2").structure, potcar_spec=True)
    assert inputs["INCAR"]["ISYM"] == 0


def test_a_reference_of_something_else_is_refused(host12):
    with pytest.raises(InputError, match="no cell of the reference O2"):
        ReferenceSetGenerator(kind="O2").get_input_set(host12, potcar_spec=True)


@pytest.mark.parametrize("kind", ["O2", "Li", "Li2O"])
@pytest.mark.parametrize("preset", ["liu2022", "boundary"])
def test_references_and_hosts_agree_in_all_but_what_is_their_own(written, host12, kind, preset):
    settings = VaspSettings(preset=preset, incar={"PREC": "Normal", "LREAL": "Auto"}, sigma=0.1)
    host = written(VacancyRelaxSetGenerator(settings=settings), host12)["incar"]
    generator = ReferenceSetGenerator(settings=settings, kind=kind)
    reference = written(generator, default_reference(kind).structure)["incar"]
    differ = {tag for tag in {*host, *reference} if host.get(tag) != reference.get(tag)}
    assert {tag for tag in differ if not tag.startswith("LDAU")} <= OWN
    assert reference["PREC"] == "Normal"
