import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.analysis.ewald import EwaldSummation

from vacancy_flows.structures import (
    distinct_removals,
    electrostatic_energies,
    lowest,
    prepare_host,
    remove_labels,
)
from vacancy_flows.structures.charges import ChargeModel, anneal, descended
from vacancy_flows.structures.compensation import compensated
from vacancy_flows.structures.delithiation_mc import delithiate, provable
from vacancy_flows.structures.electrostatics import ewald_matrix
from vacancy_flows.structures.ncm import FORMAL_STATES, ordered_ncm
from vacancy_flows.structures.subsets import lowest_subsets

STATES = {"Li": 1.0, "Mn": 4.0, "O": -2.0}


@pytest.fixture(scope="module")
def ncm24():
    return prepare_host(ordered_ncm(), (2, 1, 1))


@given(st.integers(2, 9), st.integers(0, 10_000), st.integers(1, 40))
@settings(max_examples=60, deadline=None)
def test_lowest_subsets_are_those_of_brute_force(n, seed, capacity):
    rng = np.random.default_rng(seed)
    size = int(rng.integers(0, n + 1))
    single, pair = rng.normal(size=n), rng.normal(size=(n, n))
    pair = np.round(pair + pair.T, 1)  # with ties
    energies = sorted(
        sum(single[i] for i in s) + sum(pair[i, j] for i, j in itertools.combinations(s, 2))
        for s in itertools.combinations(range(n), size)
    )
    subsets, found = lowest_subsets(single, pair, size, capacity)
    assert len(subsets) >= min(capacity, len(energies))
    assert found == pytest.approx(energies[: len(found)])
    assert len({tuple(s) for s in subsets.tolist()}) == len(subsets)


def test_swap_energies_are_those_of_recomputation(host24):
    rng = np.random.default_rng(0)
    matrix = ewald_matrix(host24)
    charges = np.array([STATES[site.specie.symbol] for site in host24])
    model = ChargeModel.of(matrix, charges, range(12))
    q = rng.permutation(charges[:12])
    changes = model.swap_energies(q)
    for i, j in itertools.combinations(range(12), 2):
        swapped = q.copy()
        swapped[[i, j]] = swapped[[j, i]]
        assert changes[i, j] == pytest.approx(model.energy(swapped) - model.energy(q), abs=1e-6)
    full = np.concatenate([q, charges[12:]])
    assert model.energy(q) == pytest.approx(full @ matrix @ full, abs=1e-6)


def test_descent_ends_where_no_swap_helps(host24):
    charges = np.array([STATES[site.specie.symbol] for site in host24])
    model = ChargeModel.of(ewald_matrix(host24), charges, range(12))
    end = descended(model, np.random.default_rng(1).permutation(charges[:12]))
    assert model.swap_energies(end).min() > -1e-6
    assert min(anneal(model, charges[:12], seeds=(0,), steps=2000).values()) <= model.energy(end)


@pytest.mark.parametrize("proof_limit", [10**8, 0])
def test_delithiation_agrees_with_enumeration(host24, proof_limit):
    removals = distinct_removals(host24, 2)
    energies = electrostatic_energies(host24, removals, STATES)
    found = delithiate(host24, 2, keep=3, proof_limit=proof_limit)
    assert list(found.removals) == lowest(removals, energies, 3)
    assert found.energies == pytest.approx(np.sort(energies)[: len(found.energies)], abs=1e-6)
    assert found.proved is (proof_limit > 0)
    assert found.as_dict()["method"] == (
        "exhaustive with bounds" if found.proved else "swap Monte Carlo"
    )


def test_proof_and_monte_carlo_end_at_the_same_energy(ncm24):
    cell = prepare_host(ordered_ncm(), (2, 2, 1))
    proof = delithiate(cell, 6, keep=2)
    assert proof.proved
    assert proof.arrangements == math.comb(12, 6)
    for seed in range(4):
        sampled = delithiate(cell, 6, proof_limit=0, seeds=(seed,), steps=20_000)
        assert not sampled.proved
        assert sampled.energies[0] == pytest.approx(proof.energies[0], abs=1e-6)


def test_energies_are_those_of_the_explicit_cell(ncm24):
    found = delithiate(ncm24, 4)
    cell = remove_labels(ncm24, found.removals[0].labels)
    cell.add_oxidation_state_by_element(dict(found.charges))
    assert found.energies[0] == pytest.approx(EwaldSummation(cell).total_energy, abs=1e-4)


def test_compensation_is_stated(ncm24):
    uniform, words = compensated(ncm24, 3, "Li", FORMAL_STATES, "uniform")
    assert uniform["Ni"] == pytest.approx(2.5)
    assert "raised uniformly by 0.5" in words
    couples, words = compensated(ncm24, 3, "Li", FORMAL_STATES, "couples")
    # 3 of 6 Li leave 3 holes: 2 Ni take 1.5 each, Co and Mn stay.
    assert couples["Ni"] == pytest.approx(3.5)
    assert couples["Co"] == pytest.approx(3.0)
    assert words.startswith("redox couple")
    chosen, _ = compensated(ncm24, 3, "Li", FORMAL_STATES, {"Ni": 3.0, "Co": 3.5})
    assert chosen["Mn"] == 4.0


@pytest.mark.parametrize(
    ("kwargs", "told"),
    [
        ({"n_removed": 0}, "n_removed = 0"),
        ({"n_removed": 7}, "7 of 6"),
        ({"n_removed": 2, "keep": 0}, "keep = 0"),
        ({"n_removed": 2, "compensation": "ni"}, "'ni'"),
        ({"n_removed": 2, "compensation": {"Ni": 4.0}}, "charge"),
        ({"n_removed": 2, "states": {"Li": 1.0}}, "missing for"),
    ],
)
def test_bad_delithiations_are_refused(ncm24, kwargs, told):
    with pytest.raises(ValueError, match=told):
        delithiate(ncm24, **kwargs)


def test_all_lithium_can_leave(ncm24):
    found = delithiate(ncm24, 6, compensation={"Ni": 4.0, "Co": 4.0, "Mn": 4.0})
    assert found.proved
    assert len(found.removals) == 1
    assert len(found.removals[0].labels) == 6


def test_the_paper_s_cell_can_be_proved():
    assert math.comb(48, 6) == 12_271_512
    assert provable(48, 42)
    assert provable(24, 21)
    assert not provable(72, 63)
