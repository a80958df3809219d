"""E_f of many unstrained sites, a column per host, read back from the figure's artists."""

import numpy as np
import pytest

from vacancy_flows.analysis import OxygenReference, formation_table
from vacancy_flows.analysis.curves import strain_curves
from vacancy_flows.analysis.figures_hosts import figure_hosts
from vacancy_flows.analysis.plots import plot_strain

ENERGIES = {"tilt": [1.9, -0.5, 1.1, 0.7] * 5, "bulk": [2.4, 2.3]}


@pytest.fixture
def many(make):
    """22 made-up sites; of the tilt the second is not converged; in the bulk one counts thrice."""
    rows = make.references()
    for host, energies in ENERGIES.items():
        for i, energy in enumerate(energies):
            site = {"host": host, "site": f"O-1a-{i + 1}", "n_atoms": 96, "multiplicity": 1 + 2 * i}
            rows += make.pair(f"{host}{i}", energy, strain_mode="none", strain=0.0, **site)
    table = formation_table(make.frame(rows), OxygenReference())
    table.loc[1, "converged"] = False
    return table


@pytest.fixture
def lines(many):
    figure = figure_hosts(strain_curves(many), [])
    return {line.get_gid(): line for line in figure.axes[0].lines if line.get_gid()}


def test_each_host_has_its_sites_in_order_in_its_own_column(lines):
    tilt, bulk = lines["sites_tilt"], lines["sites_bulk"]
    assert len(tilt.get_ydata()) == len(ENERGIES["tilt"]) - 1
    assert (np.diff(tilt.get_ydata()) >= 0).all()
    assert tilt.get_xdata().max() < 0.5 < bulk.get_xdata().min()
    assert lines["not_converged_tilt"].get_ydata() == pytest.approx([-0.5])


def test_a_mean_counts_every_oxygen_once(lines):
    assert lines["mean_bulk"].get_ydata() == pytest.approx([(2.4 + 3 * 2.3) / 4] * 2)
    weights = 1 + 2 * np.arange(20.0)
    weights[1] = 0  # not converged
    expected = np.average(ENERGIES["tilt"], weights=weights)
    assert lines["mean_tilt"].get_ydata() == pytest.approx([expected] * 2)


def test_many_unstrained_sites_get_columns_few_a_legend(many, tmp_path):
    text = plot_strain(many, tmp_path / "many", OxygenReference())[1].read_text()
    assert "Bars: mean" in text
    assert "1 of 22 points, crossed" in text
    assert "strain (%)" not in text
    few = plot_strain(many.tail(4), tmp_path / "few", OxygenReference())[1].read_text()
    assert "strain (%)" in few
