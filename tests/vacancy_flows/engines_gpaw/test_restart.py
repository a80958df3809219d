"""Which note of a broken job belongs to a calculation."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from vacancy_flows.engines.gpaw.restart import NOTE, begin

FINGERPRINT = {"encut": 350.0}


@pytest.fixture
def magnetic(host12, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return host12.copy(
        site_properties={"magmom": [3.0 * (s.specie.symbol == "Mn") for s in host12]}
    )


def goes_on(left, asked):
    """Whether a job for the one cell goes on from what a job for the other left behind."""
    Path(NOTE).unlink(missing_ok=True)
    note = begin("relax free", FINGERPRINT, left, None)
    Path(NOTE).write_text(json.dumps(asdict(note)))
    return begin("relax free", FINGERPRINT, asked, None).restarts == 1


def test_the_same_cell_goes_on_and_so_does_one_with_another_engines_noise(magnetic):
    assert goes_on(magnetic, magnetic)
    noisy = magnetic.copy()
    noisy.add_site_property("magmom", [m + 0.01 for m in magnetic.site_properties["magmom"]])
    noisy.perturb(1e-3)
    assert goes_on(magnetic, noisy)


def test_another_magnetic_order_is_another_calculation(magnetic):
    moments = list(magnetic.site_properties["magmom"])
    moments[moments.index(3.0)] = -3.0
    other = magnetic.copy()
    other.add_site_property("magmom", moments)
    assert not goes_on(magnetic, other)
    other.remove_site_property("magmom")
    assert not goes_on(magnetic, other)


def test_another_shape_of_the_same_volume_is_another_calculation(magnetic):
    assert not goes_on(magnetic, magnetic.apply_strain([0.02, -0.0196, 0.0], inplace=False))
