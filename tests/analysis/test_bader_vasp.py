"""Bader charges of VASP folders: which files are used, what is said where they are missing."""

import gzip
import sys

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure
from pymatgen.io.vasp import Poscar
from pymatgen.io.vasp.outputs import Chgcar

from vacancy_flows.analysis.bader import bader_charges
from vacancy_flows.analysis.bader_vasp import bader_from_vasp

SHAPE = (24, 40, 24)


def gaussian(structure, site, electrons, width):
    """Periodic Gaussian on a site of an orthogonal cell, e/Å³, as a product of three."""
    factors = []
    for n, length, frac in zip(SHAPE, structure.lattice.abc, site.frac_coords, strict=True):
        x = (np.arange(n) / n - frac)[:, None] * length + length * np.arange(-3, 4)
        factors.append(np.exp(-(x**2) / (2 * width**2)).sum(axis=1))
    density = np.einsum("i,j,k->ijk", *factors)
    return electrons * density / (density.mean() * structure.volume)


def with_core():
    """Structure, valence and reference of Li beside O; Li's valence has no maximum of its own."""
    structure = Structure(
        Lattice.orthorhombic(5, 8.5, 5), ["Li", "O"], [[0.2, 0.3, 0.3], [0.2, 0.5, 0.3]]
    )
    lithium, oxygen = structure
    valence = gaussian(structure, lithium, 0.3, 0.8) + gaussian(structure, oxygen, 7.7, 0.7)
    core = gaussian(structure, lithium, 2, 0.25) + gaussian(structure, oxygen, 2, 0.25)
    return structure, valence, valence + core


def write_density(path, structure, density):
    """Write a density in e/Å³ as VASP does, times the volume."""
    Chgcar(Poscar(structure), {"total": density * structure.volume}).write_file(path)


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A VASP folder with CHGCAR and AECCARs of `with_core`, and no `bader` on PATH."""
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    structure, valence, reference = with_core()
    folder = tmp_path / "run"
    folder.mkdir()
    write_density(folder / "CHGCAR", structure, valence)
    write_density(folder / "AECCAR0", structure, reference - valence)
    write_density(folder / "AECCAR2", structure, valence)
    return folder


def test_a_vasp_folder(run):
    structure, valence, reference = with_core()
    expected = bader_charges(valence, structure, reference)
    found = bader_from_vasp(run)
    assert found.method == "weights, AECCAR reference"
    assert found.electrons == pytest.approx(expected.electrons, abs=1e-3)
    assert found.total == pytest.approx(8, abs=1e-3)
    assert bader_from_vasp(run, scheme="on-grid").method == "on-grid, AECCAR reference"


def test_compressed_files_and_no_reference(run):
    with gzip.open(run / "CHGCAR.gz", "wb") as file:
        file.write((run / "CHGCAR").read_bytes())
    for name in ("CHGCAR", "AECCAR0", "AECCAR2"):
        (run / name).unlink()
    found = bader_from_vasp(run)
    assert found.method == "weights, no reference"
    assert found.bare_sites == (0,)


def test_missing_and_wrong_files(run, tmp_path):
    structure = with_core()[0]
    (run / "AECCAR2").unlink()
    with pytest.raises(FileNotFoundError, match="no AECCAR2"):
        bader_from_vasp(run)
    write_density(run / "AECCAR2", structure, np.ones((8, 8, 8)))
    with pytest.raises(ValueError, match="different cells or grids"):
        bader_from_vasp(run)
    (run / "AECCAR2").write_text("nothing\n")
    with pytest.raises(ValueError, match=r"AECCAR2 is not a readable"):
        bader_from_vasp(run)
    with pytest.raises(FileNotFoundError, match="no_such_bader"):
        bader_from_vasp(run, executable="no_such_bader")
    with pytest.raises(FileNotFoundError, match="LAECHG"):
        bader_from_vasp(tmp_path)
    with pytest.raises(FileNotFoundError, match="no folder"):
        bader_from_vasp(tmp_path / "elsewhere")


# ACF.dat as the program's documentation shows it, with the numbers of this test.
STAND_IN = """#!{python}
import sys, pathlib
assert ("-ref" in sys.argv) == {reference}
print("  GRID BASED BADER ANALYSIS  (Version 1.05 08/19/23)")
pathlib.Path("ACF.dat").write_text('''\
    #         X           Y           Z       CHARGE      MIN DIST   ATOMIC VOL
 --------------------------------------------------------------------------------
    1      0.4829      2.5650      1.4250      0.2000       0.8000       12.3000
    2      0.4829      4.2750      1.4250      7.7500       0.9000      180.0000
 --------------------------------------------------------------------------------
    VACUUM CHARGE:               0.0500
    VACUUM VOLUME:               8.7000
    NUMBER OF ELECTRONS:         8.0000
''')
"""


@pytest.mark.parametrize("reference", [True, False])
def test_the_executable_is_called_and_its_answer_read(run, tmp_path, monkeypatch, reference):
    """A stand-in for `bader`, which no registry has: the call and the reading are ours."""
    program = tmp_path / "bin" / "bader"
    program.parent.mkdir()
    program.write_text(STAND_IN.format(python=sys.executable, reference=reference))
    program.chmod(0o755)
    if not reference:
        (run / "AECCAR0").unlink()
        (run / "AECCAR2").unlink()
    monkeypatch.chdir(tmp_path)
    named = bader_from_vasp("run", executable=program)
    monkeypatch.setenv("PATH", str(program.parent))
    found = bader_from_vasp("run")
    assert found.electrons == named.electrons == (0.2, 7.75)
    assert (found.unassigned, found.total) == (0.05, 8.0)
    used = "AECCAR reference" if reference else "no reference"
    assert found.method == f"bader executable, {used}"
    assert not list(tmp_path.glob("**/ACF.dat"))  # nothing is left behind
