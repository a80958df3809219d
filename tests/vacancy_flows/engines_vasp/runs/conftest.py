"""The stand-in for VASP behind our engine: run_vasp → custodian → TaskDoc → Result."""

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from jobflow import JobStore, run_locally
from maggma.stores import MemoryStore

from vacancy_flows.engines import get_engine
from vacancy_flows.schemas import Calculation
from vacancy_flows.structures import (
    built_in_host,
    initial_moments,
    prepare_host,
    remove_labels,
)

sys.path.insert(0, str(Path(__file__).parents[3]))  # the stand-in is a package below tests/

FMAX, STEPS = 0.05, 60


def pytest_collection_modifyitems(items):
    """Silence what pymatgen says of synthetic POTCARs."""
    for item in items:
        if Path(__file__).parent in Path(item.path).parents:
            item.add_marker(pytest.mark.filterwarnings("ignore:POTCAR data"))
            item.add_marker(pytest.mark.filterwarnings("ignore:Pydantic serializer warnings"))


@pytest.fixture
def standin(tmp_path, monkeypatch):
    """The stand-in on PATH, with synthetic POTCARs."""
    from standin_vasp.install import install

    return install(tmp_path / "standin", monkeypatch)


@pytest.fixture(scope="session")
def vasp():
    return get_engine("vasp")


@pytest.fixture(scope="session")
def plain():
    """The engine without Bader charges, so without a static."""
    return get_engine("vasp", {"bader": False})


@pytest.fixture
def go(standin, tmp_path):
    """Run a flow, each job in a folder of its own; its output, its documents, its folders."""
    return lambda flow, root="jobs", **options: _run(flow, tmp_path / root, **options)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Relax a cell once for all tests of a file, where nothing goes wrong."""

    def run(structure, engine, name):
        from standin_vasp.install import install

        with pytest.MonkeyPatch.context() as patch:
            install(tmp_path_factory.mktemp("standin"), patch)
            flow = engine.relax_maker("fixed", FMAX, STEPS, name=name).make(structure)
            return _run(flow, tmp_path_factory.mktemp("finished"))

    return run


def _run(flow, place, **options):
    store = JobStore(MemoryStore(), additional_stores={"data": MemoryStore()})
    options = {"create_folders": True, "raise_immediately": True} | options
    done = run_locally(flow, store=store, log=False, root_dir=place, **options)
    last = done.get(flow.output.uuid) if flow.output is not None else None
    return SimpleNamespace(
        output=None if last is None else max(last.items())[1].output,
        documents={d["name"]: d for d in store.query(load=True)},
        root=place,
        folder=lambda name: folder_of(place, name),
    )


def folder_of(root, name):
    """The directory of a run of VASP, by the note in it."""
    from vacancy_flows.engines.vasp.run_files import NOTE, read_note

    (found,) = [p.parent for p in root.glob(f"*/{NOTE}") if read_note(p.parent)["name"] == name]
    return found


@pytest.fixture
def relax(go, vasp):
    """Relax a structure with the fixed cell, and what came of it."""

    def run(structure, prev_dir=None, *, cell="fixed", name="vacancy", engine=None, **options):
        maker = (engine or vasp).relax_maker(cell, FMAX, STEPS, name=name)
        return go(maker.make(structure, prev_dir), **options)

    return run


@pytest.fixture(scope="session")
def host12():
    """The 12-atom cell of Li2MnO3, ferromagnetic, off its minimum."""
    return shaken(with_moments(prepare_host(built_in_host("Li2MnO3", "primitive"))))


@pytest.fixture(scope="session")
def host24():
    return shaken(with_moments(prepare_host(built_in_host("Li2MnO3"))))


@pytest.fixture(scope="session")
def vacancy12(host12):
    return remove_labels(host12, ["O-8j-1"])


@pytest.fixture
def calculation(host12, vacancy12):
    """A vacancy as it is asked for, with some parts of its operation."""

    def make(structure=None, cell="fixed", **operation):
        return Calculation(
            uid="u0123456789abcdef",
            kind="vacancy",
            parent_uid="uparent",
            operation={"vacancy": "O-8j-1", **operation},
            structure=structure or vacancy12,
            cell=cell,
            fmax=FMAX,
            max_steps=STEPS,
            host="H",
            n_atoms=len(host12),
            site="O-8j-1",
            removed_element="O",
        )

    return make


def with_moments(structure):
    moments = initial_moments(structure)
    properties = {**structure.site_properties, "magmom": moments, "initial_magmom": moments}
    return structure.copy(site_properties=properties)


def shaken(structure):
    rng = np.random.default_rng(7)
    result = structure.copy()
    for i in range(len(result)):
        result.translate_sites(
            [i], rng.normal(scale=0.03, size=3), frac_coords=False, to_unit_cell=False
        )
    return result
