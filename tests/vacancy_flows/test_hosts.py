"""Hosts of a campaign: built in or from a file, and what cannot be a host."""

import gzip

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure
from pymatgen.io.cif import CifWriter
from pymatgen.io.vasp import Poscar

from vacancy_flows.errors import InputError
from vacancy_flows.hosts import build_host
from vacancy_flows.identity import root_uid
from vacancy_flows.planning import plan_hosts
from vacancy_flows.structures import built_in_host

ROCKSALT = Structure.from_spacegroup(
    "Fm-3m",
    Lattice.cubic(4.2),  # MgO, rounded
    ["Mg", "O"],
    [[0, 0, 0], [0.5, 0.5, 0.5]],
)


def refused(load, host, key, *parts):
    campaign = load(host)
    with pytest.raises(InputError) as caught:
        build_host(campaign, 0)
    message = str(caught.value)
    assert message.startswith(f"{campaign.path}: hosts.0.{key}: ")
    for part in parts:
        assert part in message


@pytest.mark.parametrize("kind", ["cif", "POSCAR"])
def test_file_is_found_beside_the_campaign_file(load, tmp_path, monkeypatch, kind):
    (tmp_path / "cells").mkdir()
    path = tmp_path / "cells" / f"mgo.{kind}"
    (CifWriter(ROCKSALT) if kind == "cif" else Poscar(ROCKSALT)).write_file(path)
    monkeypatch.chdir("/")  # relative to the campaign file, not to where one stands
    host = build_host(load({"structure": f"cells/mgo.{kind}"}), 0)
    assert host.composition.formula == "Mg4 O4"
    assert set(host.site_properties["label"]) >= {"Mg-4a-1", "O-4b-4"}


def test_absolute_path(load, tmp_path):
    path = tmp_path / "elsewhere.cif"
    CifWriter(ROCKSALT).write_file(path)
    assert len(build_host(load({"structure": str(path)}), 0)) == 8


def test_file_of_the_built_in_host_is_the_built_in_host(load, tmp_path):
    Poscar(built_in_host("Li2MnO3")).write_file(tmp_path / "POSCAR", significant_figures=8)
    read = build_host(load({"structure": "POSCAR"}), 0)
    assert root_uid(read) == root_uid(build_host(load(), 0))


@pytest.mark.parametrize(
    ("cell", "supercell", "n_atoms"),
    [
        (None, [1, 1, 1], 24),
        ("primitive", [1, 1, 1], 12),
        ("primitive", [[1, 1, 0], [-1, 1, 0], [0, 0, 1]], 24),
        (None, [2, 1, 2], 96),
    ],
)
def test_cell_and_supercell_of_the_built_in_host(load, cell, supercell, n_atoms):
    host = {"supercell": supercell} | ({"cell": cell} if cell else {})
    assert len(build_host(load(host), 0)) == n_atoms


def test_host_without_oxygen(load, tmp_path):
    salt = Structure.from_spacegroup(
        "Fm-3m", Lattice.cubic(5.64), ["Na", "Cl"], [[0, 0, 0], [0.5] * 3]
    )
    CifWriter(salt).write_file(tmp_path / "salt.cif")
    refused(load, {"structure": "salt.cif"}, "structure", "salt.cif has no oxygen")


@pytest.mark.parametrize("species", [["O"], ["O", "O"], ["O", "F"]], ids="".join)
def test_host_without_a_cation(load, tmp_path, species):
    cell = Structure(Lattice.cubic(3.0), species, [[0, 0, 0], [0.5, 0.5, 0.5]][: len(species)])
    Poscar(cell).write_file(tmp_path / "POSCAR")
    refused(load, {"structure": "POSCAR"}, "structure", "POSCAR has no cation", "give an oxide")


def test_delithiation_that_leaves_no_cation(load, tmp_path):
    Structure.from_spacegroup(
        "Fm-3m", Lattice.cubic(4.62), ["Li", "O"], [[0.25] * 3, [0, 0, 0]]
    ).to(filename=str(tmp_path / "POSCAR"))
    host = {"structure": "POSCAR", "delithiate": {"fraction": 1.0}}
    refused(load, host, "delithiate.fraction", "no cation would be left")
    build_host(load({"structure": "POSCAR", "delithiate": {"fraction": 0.5}}), 0)


@pytest.mark.parametrize(("scale", "value"), [(1000.0, "9.26e+09"), (1e-3, "9.26e-09")])
def test_scale_that_is_absurd(load, tmp_path, scale, value):
    lines = Poscar(ROCKSALT).get_str().splitlines()
    (tmp_path / "POSCAR").write_text("\n".join([lines[0], str(scale), *lines[2:]]))
    refused(load, {"structure": "POSCAR"}, "structure", f"{value} Å³ per atom", "2 to 100", "scale")


def test_file_larger_than_any_structure(load, tmp_path):
    with (tmp_path / "big.cif").open("wb") as file:
        file.truncate(10**12)
    with gzip.open(tmp_path / "packed.cif.gz", "wb", compresslevel=9) as stream:
        for _ in range(21):
            stream.write(bytes(10**6))
    for name in ("big.cif", "packed.cif.gz"):
        refused(load, {"structure": name}, "structure", name, "more than 20 MB", "CIF or POSCAR")


@pytest.mark.parametrize("content", ["", "this is no structure", "\x00\x01", "data_x\n_cell_a ?"])
@pytest.mark.parametrize("name", ["bad.cif", "POSCAR", "bad.txt"])
def test_file_that_is_no_structure(load, tmp_path, content, name):
    (tmp_path / name).write_text(content)
    problem = "cannot be read as a structure" if content else "is empty"
    refused(load, {"structure": name}, "structure", str(tmp_path / name), problem)


def test_folder_is_no_structure(load, tmp_path):
    (tmp_path / "folder").mkdir()
    refused(load, {"structure": "folder"}, "structure", "folder is a folder")


@pytest.mark.parametrize("structure", ["a\0b", "x" * 5000, "~nobody-of-this-name/x.cif", "."])
def test_path_that_cannot_be_one(load, structure):
    refused(load, {"structure": structure}, "structure", "nor a file")


def test_unknown_host_names_the_nearest(load):
    refused(load, {"structure": "Li2MnO"}, "structure", "did you mean 'Li2MnO3'?")
    refused(load, {"structure": "Li2MnO", "cell": "primitive"}, "structure", "did you mean")


def test_partial_occupancies(load, tmp_path):
    mixed = Structure(
        Lattice.cubic(4.0), [{"Li": 0.5, "Mn": 0.5}, "O"], [[0, 0, 0], [0.5, 0.5, 0.5]]
    )
    CifWriter(mixed).write_file(tmp_path / "mixed.cif")
    refused(load, {"structure": "mixed.cif"}, "structure", "partial occupancies", "ordered")


def test_supercell_that_is_too_large_says_how_many_atoms(load):
    refused(load, {"supercell": [10, 10, 10]}, "supercell", "24000 atoms", "smaller")


def test_cell_is_for_built_in_hosts_only(load, tmp_path):
    CifWriter(ROCKSALT).write_file(tmp_path / "mgo.cif")
    host = {"structure": "mgo.cif", "cell": "primitive"}
    refused(load, host, "cell", "built-in hosts only", "leave it out")


def test_delithiation_of_a_host_without_lithium(load, tmp_path):
    CifWriter(ROCKSALT).write_file(tmp_path / "mgo.cif")
    host = {"structure": "mgo.cif", "delithiate": {"fraction": 0.5}}
    refused(load, host, "delithiate.fraction", "no Li in this host")


def test_moments_of_something_unknown_are_refused_also_where_the_engine_ignores_them(load, engine):
    campaign = load(magnetism={"moments": {"Mx": 3.0}})
    with pytest.raises(InputError, match=r"magnetism: .*'Mx'.*nearest known: Mn"):
        plan_hosts(campaign, engine)
    (plan,) = plan_hosts(load(magnetism={"order": "afm"}), engine)
    assert "magmom" not in plan.root.site_properties


def test_axes_in_a_file_are_not_believed(load, tmp_path):
    structure = built_in_host("Li2MnO3")
    structure.properties["axes"] = [[0.0] * 3] * 3
    structure.to(filename=str(tmp_path / "host.json"))
    campaign = load({"structure": str(tmp_path / "host.json")})
    assert build_host(campaign, 0).properties["axes"] == np.eye(3).tolist()
