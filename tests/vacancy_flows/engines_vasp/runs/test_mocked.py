"""atomate2's mocked VASP: inputs against a finished run, the lattice included.

atomate2 compares fractional coordinates only, so a strained POSCAR would pass.
"""

import gzip
import shutil

import numpy as np
import pytest
from atomate2.utils.testing import vasp as mocked
from pymatgen.io.vasp import Poscar

from vacancy_flows.engines import get_engine
from vacancy_flows.errors import EngineError

INPUTS = ("INCAR", "KPOINTS", "POSCAR", "POTCAR")
OUTPUTS = ("CONTCAR", "OUTCAR", "OSZICAR", "vasprun.xml")


@pytest.fixture
def mock_vasp(standin, monkeypatch, references):  # its POTCARs
    """`monkeypatch_vasp`, with the lattice of POSCAR compared too."""
    check = mocked._check_poscar

    def with_lattice(ref_poscar_path, user_poscar_path=None):
        check(ref_poscar_path, user_poscar_path)
        ours = Poscar.from_file(mocked.zpath("POSCAR")).structure.lattice.matrix
        path = mocked.zpath(ref_poscar_path / "inputs" / "POSCAR")
        if not np.allclose(ours, Poscar.from_file(path).structure.lattice.matrix, atol=1e-6):
            raise ValueError("the lattice of POSCAR is inconsistent")

    monkeypatch.setattr(mocked, "_check_poscar", with_lattice)
    yield from mocked.monkeypatch_vasp(monkeypatch, references)


@pytest.fixture(scope="module")
def references(finished, vacancy12, plain, tmp_path_factory):
    """A finished run as atomate2 wants references: inputs and outputs."""
    root = tmp_path_factory.mktemp("references")
    folder = finished(vacancy12, plain, "vacancy").folder("vacancy")
    for name, kind in [*((n, "inputs") for n in INPUTS), *((n, "outputs") for n in OUTPUTS)]:
        place = root / "vacancy" / kind
        place.mkdir(parents=True, exist_ok=True)
        packed = folder / f"{name}{'.orig' if kind == 'inputs' else ''}.gz"
        with gzip.open(packed, "rb") as source, (place / name).open("wb") as target:
            shutil.copyfileobj(source, target)
    return root


def test_inputs_are_those_of_the_finished_run(mock_vasp, relax, vacancy12, plain):
    mock_vasp({"again": "vacancy"}, {"again": {}})
    result = relax(vacancy12, engine=plain, name="again").output
    assert result.converged
    assert result.moments[4:6] == [2.85, 2.85]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("strain", "the lattice of POSCAR is inconsistent"),
        ("moment", "INCAR value of MAGMOM is inconsistent"),
        ("cutoff", "INCAR value of ENCUT is inconsistent"),
        ("site", "POSCAR files are inconsistent"),
    ],
)
def test_what_differs_is_seen(mock_vasp, relax, vacancy12, plain, change, message):  # noqa: PLR0917
    mock_vasp({"again": "vacancy"}, {"again": {}})
    cell, engine = vacancy12.copy(), plain
    if change == "strain":
        cell.apply_strain(0.002)  # the mesh stays
    elif change == "moment":
        moments = [m + 1 for m in cell.site_properties["magmom"]]
        cell.add_site_property("magmom", moments)
    elif change == "site":
        cell.translate_sites([0], [0.01, 0, 0])
    else:
        engine = get_engine("vasp", {"bader": False, "encut": 540.0})
    with pytest.raises(EngineError, match=message):
        relax(cell, engine=engine, name="again")
