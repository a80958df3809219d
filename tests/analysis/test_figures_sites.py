"""E_f and net charge along b, read back from the figure's artists. All numbers are made up."""

import numpy as np
import pytest
from matplotlib.colors import same_color

from vacancy_flows.analysis import OxygenReference, formation_table
from vacancy_flows.analysis.figure_points import site_points
from vacancy_flows.analysis.figures_sites import figure_sites_along_b, plot_sites_along_b

REFERENCE = OxygenReference()


@pytest.fixture
def sites(make):
    """A made-up boundary: two sets, both states, one bulk site each; one site is unconverged."""
    rows, extra = make.references(), []
    for state, base in (("lithiated", 2.1), ("delithiated", 0.1)):
        for i in range(4):
            host = {"host": f"tilt-{state}", "site": f"O-1a-{i + 1}", "n_atoms": 192}
            rows += make.pair(f"{state}{i}", base - 0.2 * i, strain_mode="none", strain=0.0, **host)
            extra.append((state, "boundary", f"S{i % 2 + 1}", 3.5 * i, -1.2 + 0.1 * i))
        host = {"host": f"bulk-{state}", "site": "O-8j-1", "n_atoms": 96}
        rows += make.pair(f"{state}b", base, strain_mode="none", strain=0.0, **host)
        extra.append((state, "bulk", None, None, -1.15))
    table = formation_table(make.frame(rows), REFERENCE)
    names = ["lithiation", "region", "set", "position_b_A", "net_charge"]
    table[names] = extra
    table.loc[1, "converged"] = False  # lithiated, S2
    return table


def artists(figure, panel=0):
    """Return a panel's lines by id."""
    return {line.get_gid(): line for line in figure.axes[panel].lines if line.get_gid()}


def test_files_say_what_they_show(sites, tmp_path):
    png, svg = plot_sites_along_b(sites, tmp_path / "sites.v1", REFERENCE)
    assert (png.name, svg.name) == ("sites.v1.png", "sites.v1.svg")
    text = svg.read_text()
    for part in (
        "position along b (Å)",
        r"$E_\mathrm{f}[V_\mathrm{O}]$ (eV)",
        "net charge of O (e)",
        "filled: lithiated",
        "open: delithiated",
        "not converged",
        "bulk lithiated",
        "bulk delithiated",
        "Engine chgnet",
        "energy scale mp2020",
        "O2 (½E(O2), no shift), no thermal term",
        "192 (tilt-lithiated)",
        "96 (bulk-lithiated)",
        "neutral",
        "Not converged: 1 of 8 points, crossed",
    ):
        assert part in text


def test_same_table_gives_the_same_file(sites, tmp_path):
    first, second = (plot_sites_along_b(sites, tmp_path / n, REFERENCE) for n in "ab")
    assert first[1].read_bytes() == second[1].read_bytes()


def test_filled_is_lithiated_and_open_is_delithiated(sites):
    for panel in (0, 1):
        lines = artists(figure_sites_along_b(sites, REFERENCE), panel)
        filled, hollow = lines["points_S1_lithiated"], lines["points_S1_delithiated"]
        assert same_color(filled.get_markerfacecolor(), filled.get_markeredgecolor())
        assert same_color(hollow.get_markerfacecolor(), "white")
        assert same_color(hollow.get_markeredgecolor(), filled.get_markeredgecolor())


def test_sets_differ_by_marker_and_by_colour(sites):
    lines = artists(figure_sites_along_b(sites, REFERENCE))
    one, two = lines["points_S1_delithiated"], lines["points_S2_delithiated"]
    assert one.get_marker() != two.get_marker()
    assert not same_color(one.get_color(), two.get_color())


def test_points_lie_at_their_position_energy_and_charge(sites):
    figure = figure_sites_along_b(sites, REFERENCE)
    energy, charge = (artists(figure, i)["points_S2_delithiated"].get_xydata() for i in (0, 1))
    assert energy == pytest.approx(np.array([[3.5, -0.1], [10.5, -0.5]]))
    assert charge == pytest.approx(np.array([[3.5, -1.1], [10.5, -0.9]]))


def test_bulk_is_a_dotted_line(sites):
    figure = figure_sites_along_b(sites, REFERENCE)
    for panel, height in ((0, 2.1), (1, -1.15)):
        line = artists(figure, panel)["bulk_lithiated_O-8j-1"]
        assert line.get_linestyle() == ":"
        assert list(line.get_ydata()) == pytest.approx([height, height])


def test_no_line_joins_sites(sites):
    for panel in (0, 1):
        for gid, line in artists(figure_sites_along_b(sites, REFERENCE), panel).items():
            assert line.get_linestyle() == (":" if gid.startswith("bulk") else "None")


def test_unconverged_site_is_crossed_and_in_no_set(sites):
    figure = figure_sites_along_b(sites, REFERENCE)
    crossed = [x for x in figure.axes[0].lines if str(x.get_gid()).startswith("not_converged")]
    assert {line.get_marker() for line in crossed} == {"s", "x"}  # the set's marker, and a cross
    assert all(len(line.get_xdata()) == 1 for line in crossed)
    assert len(artists(figure)["points_S2_lithiated"].get_xdata()) == 1


def test_unconverged_bulk_gives_no_line(sites):
    sites.loc[4, "converged"] = False
    figure = figure_sites_along_b(sites, REFERENCE)
    assert "bulk_lithiated_O-8j-1" not in artists(figure)
    assert "1 bulk rows that are not converged" in figure.get_supxlabel()


def test_names_of_close_bulk_lines_do_not_overlap(sites):
    sites["formation_energy_eV"] = sites["formation_energy_eV"].mask(
        sites["region"] == "bulk", [1.0 + 1e-3 * i for i in range(len(sites))]
    )
    figure = figure_sites_along_b(sites, REFERENCE)
    figure.canvas.draw()
    lower, upper = sorted(
        (text.get_window_extent() for text in figure.axes[0].texts), key=lambda box: box.y0
    )
    # an annotation's extent holds its leader: compare the middles with a line of 7.5 points
    assert upper.y1 - lower.y1 > 7.5 * figure.dpi / 72


def test_charge_is_optional(sites):
    figure = figure_sites_along_b(sites.drop(columns="net_charge"), REFERENCE)
    assert len(figure.axes) == 1


def test_only_the_position_is_needed(sites):
    bare = sites.drop(columns=["net_charge", "set", "lithiation", "region"])
    lines = artists(figure_sites_along_b(bare, REFERENCE))
    assert "points_tilt-lithiated_any" in lines


def test_nothing_to_draw(sites, table, tmp_path):
    assert plot_sites_along_b(table, tmp_path / "a", REFERENCE) == []  # no positions
    assert plot_sites_along_b(sites.head(0), tmp_path / "a", REFERENCE) == []
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("column", ["engine", "energy_scale"])
def test_mixed_scales_are_refused(sites, tmp_path, column):
    sites.loc[0, column] = "other"
    with pytest.raises(ValueError, match=f"one {column}, the table has"):
        plot_sites_along_b(sites, tmp_path / "a", REFERENCE)


def test_another_reference_is_refused(sites, tmp_path):
    with pytest.raises(ValueError, match="oxygen_scheme O2, not Li2O"):
        plot_sites_along_b(sites, tmp_path / "a", OxygenReference("Li2O"))


@pytest.mark.parametrize("column", ["lithiation", "region"])
def test_unknown_words_are_refused(sites, column):
    sites.loc[0, column] = "interface"
    with pytest.raises(ValueError, match=f"{column} 'interface' is unknown; use"):
        site_points(sites)
