import itertools
import math
from collections import Counter

import numpy as np
import pytest
from pymatgen.analysis.ewald import EwaldSummation
from pymatgen.core import Structure

from vacancy_flows.structures import (
    Removal,
    built_in_host,
    count_removals,
    distinct_removals,
    electrostatic_energies,
    lowest,
    prepare_host,
    removal_count,
    remove_labels,
)
from vacancy_flows.structures.orbits import subset_orbits
from vacancy_flows.structures.symmetry import site_permutations, space_group

STATES = {"Li": 1.0, "Mn": 4.0, "O": -2.0}


def lithium_permutations(structure):
    dataset = space_group(structure)
    lithium = [i for i, site in enumerate(structure) if site.specie.symbol == "Li"]
    moved = site_permutations(structure, dataset.rotations, dataset.translations)[:, lithium]
    return np.unique(np.searchsorted(lithium, moved), axis=0)


def burnside(permutations, size):
    """Orbits of k-subsets: mean number of subsets that a permutation leaves as they are."""
    total = 0
    for permutation in permutations:
        lengths, seen = [], set()
        for start in range(len(permutation)):
            length, here = 0, start
            while here not in seen:
                seen.add(here)
                length, here = length + 1, permutation[here]
            lengths.extend([length] if length else [])
        fixed = np.zeros(size + 1, dtype=object)
        fixed[0] = 1
        for length in lengths:
            for k in range(size, length - 1, -1):
                fixed[k] += fixed[k - length]
        total += fixed[size]
    return total // len(permutations)


def test_eleven_ways_to_take_two_of_eight_li(host24):
    # science.md, section 4.
    removals = distinct_removals(host24, 2)
    assert len(removals) == 11
    assert sum(removal.multiplicity for removal in removals) == math.comb(8, 2)
    assert removals == distinct_removals(host24, 2)
    kinds = Counter(frozenset(x.rsplit("-", 1)[0] for x in r.labels) for r in removals)
    assert kinds[frozenset({"Li-2c"})] == 1
    assert kinds[frozenset({"Li-4h"})] == 3


@pytest.mark.parametrize("seed", [0, 1])
def test_order_of_atoms_does_not_matter(host24, seed):
    order = np.random.default_rng(seed).permutation(24)
    shuffled = Structure.from_sites([host24[i] for i in order], properties=host24.properties)
    energies = []
    for cell in (host24, shuffled):
        removals = distinct_removals(cell, 2)
        values = electrostatic_energies(cell, removals, STATES)
        energies.append(
            sorted(zip(values.round(6), (r.multiplicity for r in removals), strict=True))
        )
    assert energies[0] == energies[1]


@pytest.mark.parametrize("matrix", [(2, 1, 1), (1, 1, 2), [[1, 1, 0], [-1, 1, 0], [0, 0, 1]]])
@pytest.mark.parametrize("size", [0, 1, 3, 4, 13, 16])
def test_number_of_orbits_is_burnsides(matrix, size):
    host = prepare_host(built_in_host("Li2MnO3"), matrix)
    removals = distinct_removals(host, size)
    assert len(removals) == burnside(lithium_permutations(host), size)
    assert sum(removal.multiplicity for removal in removals) == math.comb(16, size)


@pytest.mark.parametrize("size", range(9))
def test_each_removal_is_the_first_of_its_orbit(host24, size):
    permutations = lithium_permutations(host24)
    expected = {}
    for subset in itertools.combinations(range(8), size):
        first = min(tuple(sorted(int(p[i]) for i in subset)) for p in permutations)
        expected[first] = expected.get(first, 0) + 1
    assert dict(subset_orbits(permutations, size, 1000)) == expected


def test_more_than_62_sites_are_told_apart():
    # 70 sites on a ring: orbits of 2-subsets are the distances 1 to 35.
    ring = np.add.outer(np.arange(70), np.arange(70)) % 70
    orbits = subset_orbits(ring, 2, 1000)
    assert [members for members, _ in orbits] == [(0, d) for d in range(1, 36)]
    assert [size for _, size in orbits] == [70] * 34 + [35]


def test_too_many_ways_are_refused_with_numbers():
    host = prepare_host(built_in_host("Li2MnO3"), (2, 1, 2))
    with pytest.raises(ValueError, match=r"10518300 ways, about 328696 .* more than 200000"):
        distinct_removals(host, 8)
    with pytest.raises(ValueError, match="more than 10"):
        distinct_removals(prepare_host(built_in_host("Li2MnO3")), 2, limit=10)
    with pytest.raises(ValueError, match="Cannot remove 9 of 8"):
        distinct_removals(prepare_host(built_in_host("Li2MnO3")), 9)


@pytest.mark.parametrize(
    ("n", "fraction", "expected"), [(8, 0.25, 2), (6, 0.3333, 2), (4, 1.0, 4), (1, 1, 1)]
)
def test_fractions_that_are_whole(n, fraction, expected):
    assert removal_count(n, fraction) == expected


def test_fractions_that_are_not_name_their_neighbours():
    with pytest.raises(ValueError, match=r"0\.25 \(2 of 8\) and 0\.375 \(3 of 8\)"):
        removal_count(8, 0.3)
    with pytest.raises(ValueError, match=r"that are: 0\.125 \(1 of 8\)\."):
        removal_count(8, 0.001)


@pytest.mark.parametrize("fraction", [0, -0.25, 1.1, float("nan"), float("inf")])
def test_fractions_outside_their_range(fraction):
    with pytest.raises(ValueError, match="above 0 and at most 1"):
        removal_count(8, fraction)


def test_nothing_to_remove():
    with pytest.raises(ValueError, match="no Na"):
        removal_count(0, 0.5, "Na")
    with pytest.raises(ValueError, match="Cannot remove 3 of 2"):
        count_removals(2, 3)
    assert count_removals(8, 2) == 28


@pytest.mark.parametrize("matrix", [(1, 1, 1), (1, 1, 2)])
def test_energies_are_those_of_the_explicit_cells(matrix):
    host = prepare_host(built_in_host("Li2MnO3"), matrix)
    n_mn = host.composition["Mn"]
    removals = distinct_removals(host, 2)[::9]
    explicit = []
    for removal in removals:
        cell = remove_labels(host, removal.labels)
        cell.add_oxidation_state_by_element(STATES | {"Mn": 4 + 2 / n_mn})
        explicit.append(EwaldSummation(cell).total_energy)
    np.testing.assert_allclose(
        electrostatic_energies(host, removals, STATES), explicit, rtol=0, atol=1e-6
    )


def test_the_cation_of_highest_state_compensates_without_a_metal():
    host = built_in_host("Li2MnO3")
    host.replace_species({"Mn": "Si"})
    host = prepare_host(host)
    removals = distinct_removals(host, 2)
    values = electrostatic_energies(host, removals, {"Li": 1, "Si": 4, "O": -2})
    cell = remove_labels(host, removals[3].labels)
    cell.add_oxidation_state_by_element({"Li": 1, "Si": 4.5, "O": -2})
    assert values[3] == pytest.approx(EwaldSummation(cell).total_energy, abs=1e-6)


def test_electrostatics_wants_a_neutral_cell(host24):
    removals = distinct_removals(host24, 1)
    with pytest.raises(ValueError, match="charge -4"):
        electrostatic_energies(host24, removals, STATES | {"Mn": 3})
    with pytest.raises(ValueError, match="missing for Mn"):
        electrostatic_energies(host24, removals, {"Li": 1, "O": -2})


def test_lowest_keeps_ties_and_their_order():
    removals = [Removal((f"Li-1a-{i}",), 1) for i in range(6)]
    energies = [0.3, 0.1 + 4e-7, 0.1, 0.5, 0.0, 0.1 + 2e-6]
    assert lowest(removals, energies, 1) == [removals[4]]
    assert lowest(removals, energies, 2) == [removals[4], removals[1], removals[2]]
    assert lowest(removals, energies, 4) == [removals[i] for i in (4, 1, 2, 5)]
    assert len(lowest(removals, energies, 10)) == 6


def test_lowest_refuses_nonsense():
    removals = [Removal(("Li-1a-1",), 1)]
    for energies, n in (([0.0], 0), ([], 1), ([float("nan")], 1)):
        with pytest.raises(ValueError, match="lowest"):
            lowest(removals, energies, n)


def test_removal_goes_by_label_and_leaves_the_rest(host24):
    left = remove_labels(host24, ["O-8j-3", "Li-2c-1"])
    assert len(left) == 22
    assert len(host24) == 24
    kept = [x for x in host24.site_properties["label"] if x not in ("O-8j-3", "Li-2c-1")]
    assert left.site_properties["label"] == kept
    assert left.properties == host24.properties
    with pytest.raises(ValueError, match="nearest known: O-8j-"):
        remove_labels(left, ["O-8j-3"])
    with pytest.raises(ValueError, match="prepare_host"):
        remove_labels(built_in_host("Li2MnO3"), ["O-8j-3"])
