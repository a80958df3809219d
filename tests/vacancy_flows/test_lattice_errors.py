"""What the cell's own error does to E_f, from stored records."""

import numpy as np
import pandas as pd
import pytest

from vacancy_flows.database import ResultsDatabase
from vacancy_flows.lattice_errors import COLUMN, with_lattice_errors

DIPOLE = dict(zip(["xx", "yy", "zz", "xy", "xz", "yz"], [4.0, 4.4, 1.7, 0, 0, 0], strict=True))


@pytest.fixture
def told(tmp_path, make_record):
    def make(cell):
        database = ResultsDatabase(tmp_path / "results.db")
        stress = (3 * 0.9 * 0.002 * np.eye(3)).tolist()  # lattice vectors 0.2 % too long
        host = make_record("uhost", "host", result={"provenance": {"cell": cell}})
        pristine = make_record(
            "upristine", "pristine", parent_uid="uhost", result={"stress": stress}
        )
        vacancy = make_record("uvacancy", pristine_uid="upristine")
        database.add([host])
        frame = pd.DataFrame([{"uid": "uvacancy", **{f"P_{k}_eV": v for k, v in DIPOLE.items()}}])
        return with_lattice_errors(frame, database, {"uvacancy": vacancy}, {"upristine": pristine})

    return make


def test_a_cell_too_large_by_its_stress_makes_the_energy_too_low(told):
    assert told({"bulk_modulus": 0.9})[COLUMN].tolist() == pytest.approx([-0.002 * 10.1])


def test_a_host_that_relaxed_freely_tells_none(told):
    assert COLUMN not in told(None)
