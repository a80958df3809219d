"""A whole campaign through the stand-in, as one flow for any jobflow manager."""

import pytest
from monty.json import MontyDecoder

from vacancy_flows.campaign_file import load_campaign
from vacancy_flows.flows import CampaignMaker

SPEC = """
name: small
engine: vasp
magnetism: {magnetic_starts: 2}
hosts: [{name: P, structure: Li2MnO3, cell: primitive}]
strain: {mode: biaxial-ab, values: [0.0, 0.02]}
relax: {fmax: 0.05, max_steps: 60}
oxygen_reference: {scheme: user, mu_o: -4.8}
"""


@pytest.mark.slow
def test_from_the_host_to_every_vacancy(go, standin, tmp_path):
    path = tmp_path / "campaign.yaml"
    path.write_text(SPEC)
    done = go(CampaignMaker().make(load_campaign(path)))
    records = [
        MontyDecoder().process_decoded(document["output"])
        for name, document in done.documents.items()
        if name.endswith("record")
    ]
    kinds = [record.calculation.kind for record in records]
    assert {kind: kinds.count(kind) for kind in set(kinds)} == {
        "host": 1,
        "pristine": 2,
        "vacancy": 4,
    }
    assert all(record.result.converged for record in records)
    for record in records:
        assert (record.engine, record.energy_scale) == ("vasp", "pbe+u")
        assert (record.result.charges is None) is (record.calculation.kind == "host")
        if record.calculation.kind == "vacancy":
            assert record.calculation.net_charge < 0
            assert record.choice["magnetic_state"]["expected"] is True
            assert record.result.moments[4:6] == [3.8, 3.8]
    free = [run["run"] for run in standin.runs() if "relax-cell" in run["run"]]
    assert len(free) == 1
    assert all(";ISTART=0;" in run["run"] for run in standin.runs() if "static" not in run["run"])
