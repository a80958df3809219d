import numpy as np
import pytest
from pymatgen.analysis.ewald import EwaldSummation

from vacancy_flows.structures import oxidation_states, prepare_host
from vacancy_flows.structures.ncm import FORMAL_STATES, layered_host, ordered_ncm
from vacancy_flows.structures.ncm_composition import layer_counts, li_rich_cell
from vacancy_flows.structures.ncm_decoration import arrange, decorated_ncm
from vacancy_flows.structures.symmetry import space_group


def cations_around(structure, symbol, cutoff=2.3):
    first, second, _, _ = structure.get_neighbor_list(cutoff)
    names = np.array([site.specie.symbol for site in structure])
    counts = np.bincount(first[names[first] != names[second]], minlength=len(structure))
    return set(counts[names == symbol].tolist())


def ewald(structure, states=FORMAL_STATES):
    charged = structure.copy()
    charged.add_oxidation_state_by_element(dict(states))
    return EwaldSummation(charged).total_energy


@pytest.mark.parametrize("cell", ["conventional", "primitive"])
def test_layered_host_is_r3m_with_octahedra(cell):
    host = layered_host("Co", cell=cell)
    assert space_group(host).number == 166
    assert cations_around(host, "Co") == cations_around(host, "Li") == {6}
    lengths = np.unique(np.round(host.get_neighbor_list(2.3)[3], 2))
    assert lengths.tolist() == [1.96, 2.1]
    axes = np.array(host.properties["axes"]) @ host.lattice.matrix
    assert np.linalg.norm(axes, axis=1) == pytest.approx([2.86, 2.86, 14.2])


# boundaries.md: 12 atoms in C2; the screw axis of P3_112 takes three layers.
@pytest.mark.parametrize(("stacking", "number", "atoms"), [("C2", 5, 12), ("P3_112", 151, 36)])
def test_ordered_cells_have_their_space_groups(stacking, number, atoms):
    host = ordered_ncm(stacking)
    assert len(host) == atoms
    assert space_group(host).number == number
    assert host.composition.reduced_formula == "Li3MnCoNiO6"
    parent = np.array(host.properties["parent_axes"]) @ host.lattice.matrix
    assert np.linalg.norm(parent, axis=1) == pytest.approx([2.86, 2.86, 14.2])
    # No two equal metals are neighbours within a layer.
    first, second, _, _ = host.get_neighbor_list(2.9)
    names = [site.specie.symbol for site in host]
    metals = {"Ni", "Co", "Mn"}
    pairs = [(names[i], names[j]) for i, j in zip(first, second, strict=True)]
    assert not [p for p in pairs if p[0] in metals and p[0] == p[1]]


def test_every_number_of_a_host_has_its_source():
    assert set(ordered_ncm().properties["provenance"]) == {"a", "c", "z", "positions", "order"}
    assert "given" in layered_host("Ni", a=2.9).properties["provenance"]["a"]


def test_formal_states_are_those_of_the_rules():
    assert oxidation_states(ordered_ncm()) == pytest.approx(dict(FORMAL_STATES))


def test_supercell_2x2x2_of_the_ordered_bulk():
    host = prepare_host(ordered_ncm(), (2, 2, 2))
    assert len(host) == 96
    assert ewald(host) == pytest.approx(8 * ewald(ordered_ncm()), abs=1e-4)


@pytest.mark.parametrize(
    ("kwargs", "told"),
    [
        ({"metal": "Xx"}, "Xx"),
        ({"a": -1.0}, "positive"),
        ({"z": 0.5}, "z = 0.5"),
        ({"cell": "big"}, "'big'"),
    ],
)
def test_bad_hosts_are_refused(kwargs, told):
    with pytest.raises(ValueError, match=told):
        layered_host(**kwargs)


def test_unknown_stacking_is_refused():
    with pytest.raises(ValueError, match="'C3'"):
        ordered_ncm("C3")


def test_decoration_of_one_layer_finds_the_ordered_one():
    # Ni2+, Co3+, Mn4+ in one layer of 3x3: the √3 order keeps equal charges apart, and is found.
    bulk = layered_host("Co", cell="primitive")
    cell = bulk.make_supercell([[3, -3, 0], [0, 3, -3], [0, 0, 1]], in_place=False)
    sites = [i for i, site in enumerate(cell) if site.specie.symbol == "Co"]
    found = arrange(cell, sites, {"Ni": 3, "Co": 3, "Mn": 3}, seeds=(0, 1))
    assert found.agreeing == (2, 2)
    assert found.energy == pytest.approx(ewald(found.structure), abs=1e-4)
    random = arrange(cell, sites, {"Ni": 3, "Co": 3, "Mn": 3}, method="random", seeds=(5,))
    assert found.energy < random.energy - 0.5
    assert found.energy == pytest.approx(3 * ewald(ordered_ncm()), abs=1e-3)


def test_decorated_r3m_says_how_it_was_arranged():
    host = decorated_ncm((3, 1, 1))
    assert host.composition == ordered_ncm().composition * 3
    assert "runs agree" in host.properties["provenance"]["order"]
    axes = np.array(host.properties["axes"]) @ host.lattice.matrix
    assert np.linalg.norm(axes, axis=1) == pytest.approx([2.86, 2.86, 14.2])
    with pytest.raises(ValueError, match="three positive"):
        decorated_ncm((0, 1, 1))


def test_arrangements_that_do_not_fit_are_refused():
    cell = layered_host("Co")
    with pytest.raises(ValueError, match="3 sites"):
        arrange(cell, [3, 4, 5], {"Ni": 1})
    with pytest.raises(ValueError, match="charge"):
        arrange(cell, [3, 4, 5], {"Ni": 3})
    with pytest.raises(ValueError, match="'best'"):
        arrange(cell, [3, 4, 5], {"Co": 3}, method="best")


def test_li_rich_counts_and_their_deviation():
    # 30 O2: Li 6, Ni 3.9, Mn 16.2, Co 3.9 of the metal sites.
    found = layer_counts("Li1.2Ni0.13Mn0.54Co0.13O2", 30)
    assert dict(found.counts) == {"Li": 6, "Ni": 4, "Mn": 16, "Co": 4}
    assert sum(found.deviation.values()) == pytest.approx(0, abs=1e-12)
    assert found.deviation["Mn"] == pytest.approx(16 / 30 - 0.54)


def test_li_rich_cells_ordered_and_disordered():
    ordered = li_rich_cell(supercell=(5, 1, 1))
    disordered = li_rich_cell(supercell=(5, 1, 1), order="disordered", seed=1)
    assert ordered.composition == disordered.composition
    assert disordered == li_rich_cell(supercell=(5, 1, 1), order="disordered", seed=1)
    assert disordered != li_rich_cell(supercell=(5, 1, 1), order="disordered", seed=2)
    states = oxidation_states(ordered)
    assert ewald(ordered, states) < ewald(disordered, states)
    report = ordered.properties["composition"]
    assert report["atoms"]["Li"] == 18
    assert max(abs(v) for v in report["deviation_per_O2"].values()) <= 0.02


def test_compositions_that_cannot_be_whole_name_what_can():
    with pytest.raises(ValueError, match="Formula units that can: 15"):
        li_rich_cell(supercell=(1, 1, 1))
    with pytest.raises(ValueError, match="cations"):
        layer_counts("LiMn2O4", 12)
    with pytest.raises(ValueError, match="delithiate"):
        layer_counts("Li0.5Co1.5O2", 12)
    with pytest.raises(ValueError, match="'glass'"):
        li_rich_cell(order="glass")
    with pytest.raises(ValueError, match="three positive"):
        li_rich_cell(supercell=(5, 0, 1))
