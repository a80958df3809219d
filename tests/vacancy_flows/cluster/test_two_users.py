"""What two users have calculated apart, each on a LaunchPad, collected by one of them."""

# ruff: noqa: PLR0917  # fixtures

import pytest

from vacancy_flows.cluster.collecting import collect_here
from vacancy_flows.cluster.submitting import submit_here
from vacancy_flows.database import ResultsDatabase
from vacancy_flows.engines.ase_relax import AseEngineRelaxMaker

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:spglib")


@pytest.mark.parametrize("swells", [1.0, 1.01])
def test_a_vacancy_in_the_cell_of_another_relaxation_is_flagged(
    new_place, small, tools, invented, launch, quick, tmp_path, monkeypatch, capsys, swells
):
    """One has the vacancies, the other one a newer pristine cell from a host of its own."""
    host = {**tools.strained, "strain": {"mode": "biaxial-ab", "values": [0.02]}}
    spec = small(hosts=[host], oxygen_reference={"scheme": "user", "mu_o": -1.92})
    ours, theirs = new_place("ours"), new_place("theirs")
    submit_here(spec, ours.launchpad)
    launch(ours)
    relax = AseEngineRelaxMaker.relax

    def swollen(self, structure):
        if self.relax_cell:
            structure = structure.copy()
            structure.scale_lattice(swells * structure.volume)
        return relax(self, structure)

    monkeypatch.setattr(AseEngineRelaxMaker, "relax", swollen)
    submit_here(spec, theirs.launchpad)
    launch(theirs, **{"spec.kind": {"$ne": "vacancy"}})
    out = tmp_path / "out"
    status = collect_here(out, spec, [ours.launchpad, theirs.launchpad])
    records = ResultsDatabase(out / "results.db").records()
    found = [r.result for r in records if r.calculation.kind == "vacancy"]
    differ = swells != 1.0
    assert [r.converged for r in found] == [not differ] * 2
    assert [r.reason.startswith("flagged: fixed cell 104.4") for r in found] == [differ] * 2
    assert status == int(differ)
    assert ("into one JobStore" in capsys.readouterr().err) == differ
