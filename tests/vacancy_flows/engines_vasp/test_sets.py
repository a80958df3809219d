"""INCAR, KPOINTS, POSCAR and POTCAR as they are written, tag by tag against both papers."""

import json

import numpy as np
import pytest
from monty.json import MontyDecoder, MontyEncoder

from vacancy_flows.engines.vasp import VaspSettings
from vacancy_flows.engines.vasp.sets import VacancyRelaxSetGenerator, VacancyStaticSetGenerator
from vacancy_flows.errors import InputError

pytestmark = pytest.mark.filterwarnings("ignore:POTCAR data")  # ours are synthetic

COMMON = {
    "ALGO": "Normal",
    "EDIFF": 1e-6,
    "GGA": "Pe",
    "ICHARG": 2,
    "ISMEAR": 0,
    "ISPIN": 2,
    "ISTART": 0,
    "ISYM": 0,
    "LAECHG": False,
    "LASPH": True,
    "LCHARG": False,
    "LORBIT": 11,
    "LREAL": False,
    "LWAVE": False,
    "NELM": 200,
    "PREC": "Accurate",
    "SIGMA": 0.05,
}
RELAX = {"IBRION": 2, "ISIF": 2, "NSW": 500, "EDIFFG": -0.01, "NELMIN": 5, "LWAVE": True}
STATIC = {"NSW": 0, "LCHARG": True, "LAECHG": True}
U = {"LDAU": True, "LDAUTYPE": 2, "LDAUPRINT": 1, "LMAXMIX": 4}
A = {
    **COMMON,
    **U,
    "ENCUT": 520.0,
    "LDAUL": [-1, 2, -1],
    "LDAUU": [0.0, 4.2, 0.0],
    "LDAUJ": [0.0, 0.0, 0.0],
    "MAGMOM": [0.0] * 4 + [3.0] * 2 + [0.0] * 6,
}
B = {
    **COMMON,
    **U,
    "ENCUT": 353.6,
    "LDAUL": [-1, 2, 2, 2, -1],
    "LDAUU": [0.0, 6.2, 3.32, 3.9, 0.0],
    "LDAUJ": [0.0] * 5,
    "MAGMOM": [0.0] * 3 + [2.0, 0.0, 3.0] + [0.0] * 6,
}
B_WITHOUT_U = {tag: value for tag, value in B.items() if not tag.startswith("LDAU")}


def test_paper_a_relaxes_a_strained_cell(written, strained12, host12):
    files = written(VacancyRelaxSetGenerator.liu2022(), strained12)
    assert files["incar"] == {**A, **RELAX}
    assert files["mesh"] == (11, 11, 11)
    assert files["potcar"] == ["Li_sv", "Mn_pv", "O"]
    structure = files["poscar"].structure
    assert np.allclose(structure.lattice.matrix, strained12.lattice.matrix, atol=1e-12)
    assert np.allclose(structure.frac_coords, strained12.frac_coords, atol=1e-12)
    # 2 % in a and b: nothing else compares the lattice
    normal = np.cross(*host12.lattice.matrix[:2])
    stretched = np.cross(*structure.lattice.matrix[:2])
    assert np.linalg.norm(stretched) / np.linalg.norm(normal) == pytest.approx(1.02**2)
    assert structure.volume / host12.volume == pytest.approx(1.02**2)


def test_paper_a_relaxes_a_host_with_its_cell(written, host12):
    files = written(VacancyRelaxSetGenerator(cell="free", fmax=0.02, max_steps=99), host12)
    assert files["incar"] == {**A, **RELAX, "ISIF": 3, "EDIFFG": -0.02, "NSW": 99}
    assert files["mesh"] == (11, 11, 11)


def test_paper_a_static_with_the_densities_of_bader(written, host12):
    assert written(VacancyStaticSetGenerator.liu2022(), host12)["incar"] == {**A, **STATIC}


def test_a_static_without_bader(written, host12):
    generator = VacancyStaticSetGenerator(settings=VaspSettings(bader=False))
    assert written(generator, host12)["incar"] == {**A, "NSW": 0}


def test_paper_b_relaxes(written, ncm):
    files = written(VacancyRelaxSetGenerator.boundary(), ncm)
    assert files["incar"] == {**B, **RELAX}
    assert files["mesh"] == (7, 7, 6)
    assert files["potcar"] == ["Li", "Ni", "Co", "Mn", "O_s"]
    assert np.allclose(files["poscar"].structure.lattice.matrix, ncm.lattice.matrix, atol=1e-12)
    assert files["poscar"].site_symbols == ["Li", "Ni", "Co", "Mn", "O"]


def test_paper_b_static(written, ncm):
    assert written(VacancyStaticSetGenerator.boundary(), ncm)["incar"] == {**B, **STATIC}


def test_paper_b_without_u(written, ncm):
    settings = VaspSettings(preset="boundary", u="off")
    files = written(VacancyRelaxSetGenerator(settings=settings), ncm)
    assert files["incar"] == {**B_WITHOUT_U, **RELAX}


def test_pristine_and_vacancy_differ_in_the_atom_alone(written, strained12):
    pristine = written(VacancyRelaxSetGenerator(), strained12)
    cell = strained12.copy()
    cell.remove_sites([8])
    vacancy = written(VacancyRelaxSetGenerator(), cell)
    assert vacancy["mesh"] == pristine["mesh"]
    assert len(vacancy["incar"].pop("MAGMOM")) == 11
    assert len(pristine["incar"].pop("MAGMOM")) == 12
    assert vacancy["incar"] == pristine["incar"]


def test_a_mask_reaches_poscar_line_by_line(written, host12):
    mask = [[i % 2 == 0, True, i > 3] for i in range(12)]
    cell = host12.copy(site_properties={**host12.site_properties, "selective_dynamics": mask})
    poscar = written(VacancyRelaxSetGenerator(), cell)["poscar"]
    assert np.array(poscar.selective_dynamics).tolist() == mask


def test_sites_keep_their_order_even_where_species_are_mixed(written, host12):
    order = [6, 0, 7, 4, 1, 8, 2, 3, 5, 9, 10, 11]
    mixed = host12.__class__.from_sites([host12[i] for i in order])
    files = written(VacancyRelaxSetGenerator(), mixed)
    assert [site.specie for site in files["poscar"].structure] == mixed.species
    assert files["potcar"] == ["O", "Li_sv", "O", "Mn_pv", "Li_sv", "O", "Li_sv", "Mn_pv", "O"]
    assert files["incar"]["LDAUU"] == [0.0, 0.0, 0.0, 4.2, 0.0, 0.0, 0.0, 4.2, 0.0]
    assert files["incar"]["MAGMOM"] == mixed.site_properties["magmom"]


def test_moments_of_every_sign_are_written_as_they_are(written, host12):
    moments = [0.0] * 4 + [3.123456, -2.9] + [0.01, -0.02] * 3
    cell = host12.copy(site_properties={"magmom": moments})
    wanted = [0.0] * 4 + [3.1235, -2.9] + [0.01, -0.02] * 3
    assert written(VacancyRelaxSetGenerator(), cell)["incar"]["MAGMOM"] == wanted


@pytest.mark.parametrize("bad", [None, float("nan"), [0, 0, 1]])
def test_a_site_without_a_moment_is_refused(host12, bad):
    moments = list(host12.site_properties["magmom"])
    moments[4] = bad
    cell = host12.copy(site_properties={"label": host12.site_properties["label"]})
    cell.add_site_property("magmom", moments)
    with pytest.raises(InputError, match=r"1 of 12 sites .* \(first: Mn-4g-1\)"):
        VacancyRelaxSetGenerator().get_input_set(cell, potcar_spec=True)


def test_a_structure_without_moments_is_refused(host12):
    cell = host12.copy()
    cell.remove_site_property("magmom")
    with pytest.raises(InputError, match="12 of 12 sites have no collinear moment"):
        VacancyRelaxSetGenerator().get_input_set(cell, potcar_spec=True)


def test_an_element_without_a_potcar_is_refused(host12):
    cell = host12.copy()
    cell.replace(4, "Ti", properties=host12[4].properties)
    with pytest.raises(InputError, match="no POTCAR is chosen for Ti"):
        VacancyRelaxSetGenerator().get_input_set(cell, potcar_spec=True)


def test_overrides_reach_every_calculation(written, host12):
    settings = VaspSettings(incar={"ALGO": "all", "PREC": "normal", "NCORE": 4, "LMAXMIX": 6})
    changed = {"ALGO": "All", "PREC": "Normal", "NCORE": 4, "LMAXMIX": 6}
    relax = VacancyRelaxSetGenerator(settings=settings)
    assert written(relax, host12)["incar"] == {**A, **RELAX, **changed}


def test_smearing_is_the_settings_and_nobody_elses(written, host12):
    settings = VaspSettings(ismear=1, sigma=0.1)
    for generator in (
        VacancyRelaxSetGenerator(settings=settings),
        VacancyStaticSetGenerator(settings=settings),
    ):
        incar = written(generator, host12)["incar"]
        assert (incar["ISMEAR"], incar["SIGMA"]) == (1, 0.1)


def test_a_wavecar_only_where_it_is_asked_for(written, host12):
    incar = written(VacancyStaticSetGenerator(from_wavecar=True), host12)["incar"]
    assert incar == {**A, **STATIC, "ISTART": 1, "ICHARG": 0}


@pytest.mark.parametrize(
    "generator",
    [
        VacancyRelaxSetGenerator(cell="free", fmax=0.03, max_steps=7),
        VacancyStaticSetGenerator.boundary(),
        VacancyRelaxSetGenerator(settings=VaspSettings(preset="boundary", u="off")),
    ],
)
def test_sets_survive_a_jobstore(generator, ncm):
    again = json.loads(json.dumps(generator, cls=MontyEncoder), cls=MontyDecoder)
    assert again.settings == generator.settings
    settings = VaspSettings(preset="boundary")
    assert isinstance(again.settings, type(settings))
    one, two = (g.get_input_set(ncm, potcar_spec=True) for g in (generator, again))
    assert one["INCAR"] == two["INCAR"]
    assert one["KPOINTS"] == two["KPOINTS"]
