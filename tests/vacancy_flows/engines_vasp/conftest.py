"""Synthetic POTCARs where pymatgen looks for them, and the hosts of both papers."""

import runpy
from pathlib import Path

import numpy as np
import pytest
from atomate2.vasp.files import write_vasp_input_set
from pymatgen.core import SETTINGS, Lattice, Structure
from pymatgen.io.vasp.inputs import Incar, Kpoints, Poscar, Potcar

from vacancy_flows.structures import (
    built_in_host,
    conventional_axes,
    deform,
    deformation_gradient,
    initial_moments,
    prepare_host,
)

# By its path: tests are no package.
write_potcars = runpy.run_path(str(Path(__file__).with_name("synthetic_potcars.py")))[
    "write_potcars"
]


@pytest.fixture
def potcars(tmp_path, monkeypatch):
    """Synthetic POTCARs for this process and those it starts; some ENMAX changed."""

    def make(enmax=None):
        directory = tmp_path / "potcars"
        write_potcars(directory, enmax)
        monkeypatch.setenv("PMG_VASP_PSP_DIR", str(directory))
        monkeypatch.setitem(SETTINGS, "PMG_VASP_PSP_DIR", str(directory))
        monkeypatch.delitem(SETTINGS, "PMG_VASP_PSP_SUB_DIRS", raising=False)
        return directory

    return make


@pytest.fixture
def written(tmp_path, potcars):
    """Write a set as an atomate2 job would, and read the files back."""
    potcars()

    def write(generator, structure):
        write_vasp_input_set(structure, generator, tmp_path)
        kpoints = Kpoints.from_file(tmp_path / "KPOINTS")
        assert kpoints.style == Kpoints.supported_modes.Gamma
        assert tuple(kpoints.kpts_shift) == (0, 0, 0)
        return {
            "incar": dict(Incar.from_file(tmp_path / "INCAR")),
            "mesh": tuple(kpoints.kpts[0]),
            "poscar": Poscar.from_file(tmp_path / "POSCAR"),
            "potcar": Potcar.from_file(tmp_path / "POTCAR").symbols,
        }

    return write


@pytest.fixture(scope="session")
def host12():
    """Paper A's 12-atom cell, ferromagnetic."""
    return with_moments(prepare_host(built_in_host("Li2MnO3", "primitive")))


@pytest.fixture(scope="session")
def host24():
    return with_moments(prepare_host(built_in_host("Li2MnO3")))


@pytest.fixture(scope="session")
def strained12(host12):
    """The 12-atom cell, 2 % biaxial in a and b."""
    return deform(host12, deformation_gradient(conventional_axes(host12), "biaxial-ab", 0.02))


@pytest.fixture(scope="session")
def ncm():
    """Paper B's composition, Li3NiCoMnO6, in a hexagonal cell of 12 atoms.

    Layered, a 2.86 √3, c/3 4.75 Å; positions are ideal and the stacking AA: a cell for inputs,
    not for energies. Moments as for Ni2+, Co3+ and Mn4+.
    """
    lattice = Lattice.hexagonal(2.86 * np.sqrt(3), 4.75)
    thirds = [(0, 0), (1 / 3, 2 / 3), (2 / 3, 1 / 3)]
    species = ["Li"] * 3 + ["Ni", "Co", "Mn"] + ["O"] * 6
    positions = [(x, y, 0.5) for x, y in thirds] + [(x, y, 0.0) for x, y in thirds]
    for z, shift in ((0.22, 1 / 3), (0.78, 2 / 3)):
        positions += [((x + shift) % 1, y, z) for x, y in thirds]
    moments = [0.0] * 3 + [2.0, 0.0, 3.0] + [0.0] * 6
    return Structure(lattice, species, positions, site_properties={"magmom": moments})


def with_moments(structure):
    return structure.copy(
        site_properties={**structure.site_properties, "magmom": initial_moments(structure)}
    )
