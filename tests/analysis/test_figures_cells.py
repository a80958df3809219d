"""The drawing of a vacancy cell: what is seen, and where."""

from collections import Counter

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from vacancy_flows.analysis.figure_atoms import balls
from vacancy_flows.analysis.figures_cells import figure_cell, plot_cell
from vacancy_flows.analysis.projection import scene, view, widest_axis
from vacancy_flows.structures import built_in_host, prepare_host, remove_labels


@pytest.fixture(scope="module")
def cell():
    """Li2MnO3 without one O on 8j, and where that O was."""
    host = prepare_host(built_in_host("Li2MnO3"))
    index = host.site_properties["label"].index("O-8j-1")
    return remove_labels(host, ["O-8j-1"]), host[index].frac_coords


@pytest.fixture
def rock_salt():
    """One cation at the corner and one O in the middle of a 4 × 5 × 6 Å box."""
    lattice = Lattice.from_parameters(4.0, 5.0, 6.0, 90, 90, 90)
    return Structure(lattice, ["Mn", "O"], [[0, 0, 0], [0.5, 0, 0]])


def drawn(figure, gid):
    """Return what bears an id."""
    return figure.axes[0].findobj(lambda artist: artist.get_gid() == gid)


def test_files_say_what_they_show(cell, tmp_path):
    png, svg = plot_cell(*cell, tmp_path / "cell", "Li2MnO3  O-8j-1")
    assert png.read_bytes().startswith(b"\x89PNG")
    text = svg.read_text()
    for part in ("Li2MnO3  O-8j-1", "V_", "Li8Mn4O11, 23 atoms", "seen along a", "neutral", "2 Å"):
        assert part in text


def test_same_cell_gives_the_same_file(cell, tmp_path):
    first, second = (plot_cell(*cell, tmp_path / n, "t")[1] for n in "ab")
    assert first.read_bytes() == second.read_bytes()


def test_vacancy_is_a_dashed_open_square_where_the_atom_was(cell):
    structure, position = cell
    figure = figure_cell(structure, position, "t", axis="c", tilt=(0.0, 0.0))
    (square,) = drawn(figure, "vacancy")
    assert not square.get_fill()
    assert square.get_linestyle() != "-"
    centre = np.array(square.get_xy()) + np.array([square.get_width(), square.get_height()]) / 2
    where = view(structure.lattice.matrix, "c", (0.0, 0.0)) @ structure.lattice.matrix.T @ position
    assert centre == pytest.approx(where[:2])


def test_every_atom_is_drawn_once_or_on_opposite_faces(rock_salt):
    seen = scene(rock_salt, [0.5, 0.5, 0.5], "a")
    # the corner stands eight times, the middle of an edge four times
    assert Counter(seen.symbols) == {"Mn": 8, "O": 4}
    figure = figure_cell(rock_salt, [0.5, 0.5, 0.5], "t")
    assert len(drawn(figure, "atom_Mn")) == 8
    assert len(drawn(figure, "bond")) == 8  # 2.0 Å on both sides of each O
    assert len(drawn(figure, "cell_edge")) == 12


def test_noise_across_a_face_changes_nothing(rock_salt):
    before = Counter(scene(rock_salt, [0.5, 0.5, 0.5], "a").symbols)
    rock_salt.translate_sites([0, 1], [-1e-3, 1e-3, -1e-3], to_unit_cell=True)
    assert Counter(scene(rock_salt, [0.5, 0.5, 0.5], "a").symbols) == before


def test_vacancy_on_a_face_is_repeated(rock_salt):
    figure = figure_cell(rock_salt, [0.5, 0.5, 0.0], "t")
    assert len(drawn(figure, "vacancy")) == 1
    assert len(drawn(figure, "vacancy_image")) == 1


def test_bonds_join_oxygen_and_cations_within_the_cutoff(cell):
    seen = scene(*cell, "a")
    for cation, oxygen in seen.bonds:
        assert (seen.symbols[cation] == "O", seen.symbols[oxygen]) == (False, "O")
        assert np.linalg.norm(seen.atoms[cation] - seen.atoms[oxygen]) <= 2.6


def test_far_atoms_are_paler_and_behind(cell):
    figure = figure_cell(*cell, "t")
    discs = drawn(figure, "atom_Mn")
    discs.sort(key=lambda disc: disc.get_zorder())
    assert sum(discs[0].get_facecolor()[:3]) > sum(discs[-1].get_facecolor()[:3])


@pytest.mark.parametrize("axis", ["a", "b", "c"])
def test_view_is_a_rotation_with_the_axis_towards_the_reader(cell, axis):
    matrix = cell[0].lattice.matrix
    rotation = view(matrix, axis, (0.0, 0.0))
    assert np.linalg.det(rotation) == pytest.approx(1.0)
    assert rotation @ rotation.T == pytest.approx(np.eye(3))
    seen = matrix["abc".index(axis)] @ rotation.T
    assert seen[:2] == pytest.approx([0.0, 0.0])
    right, up = {"a": (1, 2), "b": (0, 2), "c": (0, 1)}[axis]
    assert (matrix[right] @ rotation.T)[0] > 0
    assert (matrix[up] @ rotation.T)[1] > 0


def test_widest_view_is_along_the_shortest_axis(rock_salt, cell):
    assert widest_axis(rock_salt.lattice.matrix) == "a"
    assert widest_axis(cell[0].lattice.matrix) == "a"
    assert widest_axis(np.diag([6.0, 5.0, 4.0])) == "c"
    assert widest_axis(np.eye(3)) == "a"


def test_elements_differ_in_colour():
    looks = balls(["Li", "Mn", "Ni", "Co", "O", "Ti", "Fe", "F", "Al", "Zr"])
    assert len(set(looks.values())) == 10
    assert list(looks)[-1] == "O"


def test_oxidation_states_are_no_elements(rock_salt):
    rock_salt.add_oxidation_state_by_element({"Mn": 2, "O": -2})
    assert set(scene(rock_salt, [0.5, 0.5, 0.5], "a").symbols) == {"Mn", "O"}


def test_atom_on_the_vacancy_is_refused(rock_salt):
    with pytest.raises(ValueError, match=r"an atom of O sits 0.00 Å from the vacancy"):
        figure_cell(rock_salt, [0.5, 1.0, 0.0], "t")


@pytest.mark.parametrize("position", [[0.5, 0.5], [0.5, 0.5, np.nan]])
def test_bad_position_is_refused(rock_salt, position):
    with pytest.raises(ValueError, match="three fractional coordinates"):
        figure_cell(rock_salt, position, "t")


def test_disorder_and_unknown_axes_are_refused(rock_salt):
    with pytest.raises(ValueError, match="use a, b or c"):
        figure_cell(rock_salt, [0.5, 0.5, 0.5], "t", axis="d")
    rock_salt.replace(0, {"Mn": 0.5, "Ni": 0.5})
    with pytest.raises(ValueError, match="disordered"):
        figure_cell(rock_salt, [0.5, 0.5, 0.5], "t")


def test_empty_cell_is_no_figure(tmp_path):
    assert plot_cell(Structure(Lattice.cubic(4), [], []), [0, 0, 0], tmp_path / "a", "t") == []
