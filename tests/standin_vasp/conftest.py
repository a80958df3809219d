"""The stand-in, installed for one test, and atomate2 jobs that run with it."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure
from pymatgen.io.vasp import Incar, Kpoints, Poscar, Potcar

sys.path.insert(0, str(Path(__file__).parents[1]))  # the stand-in is a package below tests/

FAST = {"GGA": "PE", "ENCUT": 520, "ISMEAR": 0, "SIGMA": 0.05, "EDIFF": 1e-5, "EDIFFG": -0.01}
FAST |= {"LORBIT": 11, "LREAL": False, "ISPIN": 2, "ALGO": "Normal", "METAGGA": None}
POTCARS = {"Li": "Li_sv", "Mn": "Mn_pv", "O": "O"}
TAGS = {"GGA": "PE", "ENCUT": 520, "ISPIN": 2, "NSW": 60, "IBRION": 2, "ISIF": 2}
TAGS |= {"EDIFFG": -0.01, "LORBIT": 11, "ISMEAR": 0, "SIGMA": 0.05, "LCHARG": False}


@pytest.fixture
def standin(tmp_path, monkeypatch):
    from standin_vasp.install import install

    return install(tmp_path / "standin", monkeypatch)


@pytest.fixture
def run(standin, tmp_path):
    """Run an atomate2 job here, with its errors; its TaskDoc and directory."""
    from jobflow import JobStore, run_locally
    from maggma.stores import MemoryStore

    root = tmp_path / "jobs"
    root.mkdir()

    def directory():
        return max(root.iterdir(), key=lambda path: path.name)

    def go(maker, structure):
        job = maker.make(structure)
        store = JobStore(MemoryStore(), additional_stores={"data": MemoryStore()})
        settings = {"root_dir": root, "create_folders": True, "raise_immediately": True}
        done = run_locally(job, store=store, log=False, **settings)
        return SimpleNamespace(document=done[job.uuid][1].output, directory=directory())

    go.directory = directory
    return go


@pytest.fixture
def call(standin, tmp_path):
    """Write inputs into a folder, run there and return what was said."""

    def go(structure=None, kpoints=None, folder="run", **tags):
        directory = tmp_path / folder
        directory.mkdir(exist_ok=True)
        if structure is not None:
            Poscar(structure).write_file(directory / "POSCAR")
            symbols = [POTCARS[s] for s in Poscar(structure).site_symbols]
            Potcar(symbols, functional="PBE_54").write_file(directory / "POTCAR")
        tags = {key: value for key, value in (TAGS | tags).items() if value is not None}
        Incar(tags).write_file(directory / "INCAR")
        (kpoints or Kpoints.gamma_automatic((3, 3, 3))).write_file(directory / "KPOINTS")
        command = [standin.executable]
        done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)
        return directory, done

    return go


@pytest.fixture(scope="session")
def relax():
    """A RelaxMaker of atomate2, PBE, with other INCAR tags."""
    from atomate2.vasp.jobs.core import RelaxMaker
    from atomate2.vasp.sets.core import RelaxSetGenerator

    return lambda **tags: RelaxMaker(input_set_generator=RelaxSetGenerator(**_settings(tags)))


@pytest.fixture(scope="session")
def static():
    """A StaticMaker of atomate2, PBE, with other INCAR tags."""
    from atomate2.vasp.jobs.core import StaticMaker
    from atomate2.vasp.sets.core import StaticSetGenerator

    return lambda **tags: StaticMaker(input_set_generator=StaticSetGenerator(**_settings(tags)))


@pytest.fixture
def lithia():
    """Antifluorite Li2O, its primitive cell; the toy's lattice constant is a little larger."""
    lattice = Lattice([[0, 2.31, 2.31], [2.31, 0, 2.31], [2.31, 2.31, 0]])
    return Structure(lattice, ["Li", "Li", "O"], [[0.25] * 3, [0.75] * 3, [0] * 3])


@pytest.fixture(scope="session")
def manganate():
    """12-atom Li2MnO3, sorted by element, a little off its minimum, Mn at 3 and 4 μB."""
    from vacancy_flows.structures import built_in_host

    structure = built_in_host("Li2MnO3", "primitive").get_sorted_structure()
    structure.add_site_property("magmom", [0.0] * 4 + [3.0, -4.0] + [0.0] * 6)
    rng = np.random.default_rng(1)
    for k in range(len(structure)):
        structure.translate_sites(k, rng.normal(scale=0.03, size=3), frac_coords=False)
    return structure


def _settings(tags):
    return {
        "user_incar_settings": FAST | tags,
        "user_kpoints_settings": {"reciprocal_density": 50},
        "auto_ismear": False,
        "auto_ispin": False,
        "auto_lreal": False,
    }
