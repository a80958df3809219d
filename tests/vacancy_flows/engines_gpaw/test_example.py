"""The example campaign with GPAW: an hour of two cores (marker ``slow``)."""

import subprocess

import pandas as pd
import pytest

pytest.importorskip("gpaw", reason="GPAW is not installed (extra gpaw)")
pytestmark = pytest.mark.slow

HOURS = 6  # of a busy machine


@pytest.fixture(scope="module")
def energies(tools, tmp_path_factory):
    """E_f by host, site and strain."""
    directory = tmp_path_factory.mktemp("example")
    spec = tools.root / "examples" / "li2mno3_gpaw.yaml"
    command = [*tools.executable(), "run", str(spec), "-d", str(directory), "--workers", "2"]
    subprocess.run(command, env=tools.environment(), timeout=3600 * HOURS, check=True)
    table = pd.read_csv(directory / "vacancies.csv")
    assert table["converged"].all()
    assert set(table["energy_scale"]) == {"pbe+u"}
    return table.pivot_table("formation_energy_eV", ["host", "wyckoff"], "strain")


def test_tension_and_delithiation_lower_the_formation_energy(energies):
    assert (energies[0.05] < energies[0.0] - 0.1).all()
    assert (energies.loc["Li1.5MnO3"] < energies.loc["Li2MnO3"] - 0.1).all(axis=None)
    assert energies.loc[("Li2MnO3", "8j"), 0.0] == pytest.approx(3.30, abs=0.05)
    assert energies.loc[("Li2MnO3", "4i"), 0.0] == pytest.approx(3.50, abs=0.05)
