"""Finished runs: the real ones of the shared data, and the stand-in's for everything else."""

import gzip
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure
from pymatgen.io.vasp import Incar, Kpoints, Poscar

TESTS = Path(__file__).parents[2]
sys.path.insert(0, str(TESTS))  # the stand-in is a package below tests/

REAL = TESTS.parents[1] / "shared" / "data" / "real_vasp"
POTCARS = {"Li": "Li_sv", "Mn": "Mn_pv", "O": "O", "Ni": "Ni", "Co": "Co"}
TAGS = {"GGA": "PE", "ENCUT": 520, "ISPIN": 2, "NSW": 0, "ISMEAR": 0, "SIGMA": 0.05}
TAGS |= {"PREC": "Accurate", "LORBIT": 11, "LCHARG": False, "LWAVE": False, "LASPH": True}
RELAX = {"NSW": 60, "IBRION": 2, "ISIF": 2, "EDIFFG": -0.01}


@pytest.fixture(scope="session")
def real():
    """Folders of real VASP runs (shared/data/README.md says where they come from)."""
    if not REAL.is_dir():
        pytest.skip(f"the shared data are not there: {REAL}")
    return SimpleNamespace(
        root=REAL,
        bulk=REAL / "GaN_bulk",
        vacancy=REAL / "GaN_v_N_0",
        oxygen=REAL / "O2_molecule",
    )


@pytest.fixture(scope="session")
def standin(tmp_path_factory):
    from standin_vasp.install import prepare

    return prepare(tmp_path_factory.mktemp("standin"))


@pytest.fixture(scope="session")
def vasp(standin):
    """Write inputs into a folder, and run the stand-in there; what a fault is, it does."""

    def go(folder, structure, mesh=(2, 2, 2), potcars=None, fault=None, **tags):
        folder.mkdir(parents=True, exist_ok=True)
        poscar = Poscar(structure)
        poscar.write_file(folder / "POSCAR")
        symbols = [(POTCARS | (potcars or {}))[s] for s in poscar.site_symbols]
        (folder / "POTCAR").write_text("".join(potcar(standin, s) for s in symbols))
        Incar({k: v for k, v in (TAGS | tags).items() if v is not None}).write_file(
            folder / "INCAR"
        )
        Kpoints.gamma_automatic(mesh).write_file(folder / "KPOINTS")
        standin.fail(*([fault] if fault else []))
        done = subprocess.run(
            [standin.executable],
            cwd=folder,
            env={**os.environ, **standin.environment},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (folder / "vasprun.xml").is_file(), done.stdout + done.stderr
        return folder

    return go


def potcar(standin, symbol):
    found = sorted(standin.potcars.glob(f"POT_GGA_PAW_PBE_54/POTCAR.{symbol}*"))
    found += sorted(standin.potcars.glob(f"POT_GGA_PAW_PBE_54/{symbol}/POTCAR*"))
    read = gzip.open if found[0].suffix == ".gz" else open
    with read(found[0], "rt") as file:
        return file.read()


@pytest.fixture(scope="session")
def oxide():
    """Twelve atoms of Li2MnO3, sorted by element, with moments."""
    from vacancy_flows.structures import built_in_host

    structure = built_in_host("Li2MnO3", "primitive").get_sorted_structure()
    return Structure(structure.lattice, structure.species, structure.frac_coords)


@pytest.fixture(scope="session")
def references():
    """O2 in a box, bcc Li and antifluorite Li2O."""
    fcc = Lattice([[0, 2.31, 2.31], [2.31, 0, 2.31], [2.31, 2.31, 0]])
    return {
        "O2": Structure(Lattice.orthorhombic(8, 9, 10), ["O", "O"], [[0, 0, 0], [0, 0, 0.122]]),
        "Li": Structure(Lattice.cubic(3.44), ["Li", "Li"], [[0, 0, 0], [0.5, 0.5, 0.5]]),
        "Li2O": Structure(fcc, ["Li", "Li", "O"], [[0.25] * 3, [0.75] * 3, [0] * 3]),
    }


@pytest.fixture(scope="session")
def made(tmp_path_factory, vasp, oxide, references):
    """A pristine cell, two of its oxygen vacancies and the references. Never write: `tree`."""
    root = tmp_path_factory.mktemp("runs")
    u = hubbard(4.2)
    vasp(root / "pristine", oxide, **u)
    for site in (6, 9):
        vasp(root / f"vacancy_{site}", without(oxide, site), **u)
    for kind, structure in references.items():
        extra = {"NUPDOWN": 2} if kind == "O2" else {"ISPIN": 1}
        mesh = (1, 1, 1) if kind == "O2" else (4, 4, 4)
        vasp(root / "references" / kind, structure, mesh, **(extra if kind != "Li2O" else {}))
    return root


@pytest.fixture
def tree(made, tmp_path):
    """A copy of `made` to write into."""
    return Path(shutil.copytree(made, tmp_path / "runs"))


@pytest.fixture
def ingest(tmp_path, capsys):
    """Ingest folders; status, output, errors and the database."""
    from vacancy_flows.database import ResultsDatabase
    from vacancy_flows.ingest.command import ingest_here

    def go(*places, database="db/results.db", **options):
        path = tmp_path / database
        options["pristine"] = [Path(p) for p in options.get("pristine", ())]
        status = ingest_here([Path(p) for p in places], str(path), **options)
        out, err = capsys.readouterr()
        return SimpleNamespace(
            status=status, out=out, err=err, path=path, database=ResultsDatabase(path)
        )

    return go


@pytest.fixture(scope="session")
def make(vasp, oxide):
    """What tests make runs with: the stand-in, a cell, and small changes to it and its INCAR."""
    return SimpleNamespace(
        vasp=vasp, oxide=oxide, without=without, hubbard=hubbard, shaken=shaken, relax=RELAX
    )


def without(structure, *sites):
    cell = structure.copy()
    cell.remove_sites(list(sites))
    return cell


def shaken(structure):
    """The atoms off their sites by some hundredths of an Å."""
    noise = np.random.default_rng(1).normal(scale=0.03, size=(len(structure), 3))
    moved = structure.cart_coords + noise
    return Structure(structure.lattice, structure.species, moved, coords_are_cartesian=True)


def hubbard(u):
    return {"LDAU": True, "LDAUTYPE": 2, "LDAUL": [-1, 2, -1], "LDAUU": [0, u, 0], "LDAUJ": [0] * 3}
