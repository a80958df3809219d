"""E_f against net charge: what is drawn and what enters r. All numbers are made up."""

import pytest

from vacancy_flows.analysis import OxygenReference, formation_table
from vacancy_flows.analysis.figures_charge import figure_charge, plot_charge

REFERENCE = OxygenReference()
CHARGES = (-1.2, -1.1, -1.0, -0.9)


@pytest.fixture
def charges(make):
    """Two made-up states, in each E_f exactly on a falling line; last a wild unconverged row."""
    rows, states = make.references(), []
    for state, base in (("lithiated", 2.0), ("delithiated", 0.0)):
        for charge in CHARGES:
            cell = {"host": f"tilt-{state}", "site": f"O-1a-{len(rows)}", "n_atoms": 192}
            formation = base - 2.0 * charge
            rows += make.pair(f"u{len(rows)}", formation, strain_mode="none", strain=0.0, **cell)
            states.append((state, charge))
    cell = {"host": "tilt-lithiated", "site": "O-1a-99", "n_atoms": 192}
    rows += make.pair("wild", 40.0, strain_mode="none", strain=0.0, **cell)
    table = formation_table(make.frame(rows), REFERENCE)
    table[["lithiation", "net_charge"]] = [*states, ("lithiated", -0.8)]
    table.loc[table.index[-1], "converged"] = False
    return table.assign(set="S1")


def legend(figure):
    """Return the legend's texts."""
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_files_say_what_they_show(charges, tmp_path):
    png, svg = plot_charge(charges, tmp_path / "charge", REFERENCE)
    assert png.read_bytes().startswith(b"\x89PNG")
    text = svg.read_text()
    for part in (
        "net charge of O (e)",
        r"$E_\mathrm{f}[V_\mathrm{O}]$ (eV)",
        "Engine chgnet",
        "energy scale mp2020",
        "O2 (½E(O2), no shift)",
        "N = 192 (tilt-lithiated)",
        "Not converged: 1 of 9 points, crossed",
    ):
        assert part in text


def test_r_leaves_out_what_is_not_converged(charges):
    texts = legend(figure_charge(charges, REFERENCE))
    assert "lithiated: r = −1.00 (n = 4)" in texts
    assert "delithiated: r = −1.00 (n = 4)" in texts


def test_r_of_all_mixes_the_states(charges):
    # two parallel lines 2 eV apart: cov -0.025, var q 0.0125, var E 0.05 + 1
    expected = -0.025 / (0.0125 * 1.05) ** 0.5
    assert f"all: r = −{-expected:.2f} (n = 8)" in legend(figure_charge(charges, REFERENCE))


def test_r_needs_three_different_points(charges):
    assert "all: undefined (n = 2)" in legend(figure_charge(charges.head(2), REFERENCE))
    same = charges.assign(net_charge=-1.0)
    assert "all: undefined (n = 8)" in legend(figure_charge(same, REFERENCE))


def test_unconverged_point_is_crossed_and_drawn_apart(charges):
    every = figure_charge(charges, REFERENCE).axes[0].lines
    lines = {line.get_gid(): line for line in every if line.get_gid()}
    assert len(lines["points_S1_lithiated"].get_xdata()) == 4
    assert lines["not_converged_S1_lithiated"].get_marker() == "x"
    assert {line.get_linestyle() for line in lines.values()} == {"None"}


def test_rows_without_charge_are_counted(charges):
    charges.loc[0, "net_charge"] = float("nan")
    figure = figure_charge(charges, REFERENCE)
    assert "Not drawn: 1 rows without E_f or net charge." in figure.get_supxlabel()


def test_nothing_to_draw(table, tmp_path):
    assert plot_charge(table, tmp_path / "a", REFERENCE) == []  # no charges
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("column", ["engine", "energy_scale"])
def test_mixed_scales_are_refused(charges, tmp_path, column):
    charges.loc[0, column] = "other"
    with pytest.raises(ValueError, match=f"one {column}, the table has"):
        plot_charge(charges, tmp_path / "a", REFERENCE)
