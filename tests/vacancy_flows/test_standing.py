"""Where a campaign stands, from its database."""

from collections import Counter

import pytest

from vacancy_flows.campaign_file import load_campaign
from vacancy_flows.database import ResultsDatabase
from vacancy_flows.planning import plan_hosts
from vacancy_flows.standing import cost_text, finished_calculations


@pytest.fixture
def counted(chgnet, tools, tmp_path):
    """Count what is finished of a campaign file with some keys changed."""

    def count(directory, **changes):
        spec = tools.write(tmp_path / "asked.yaml", {**tools.small, **changes})
        campaign = load_campaign(spec)
        database = ResultsDatabase.open(directory / "results.db")
        asked = (campaign, chgnet, plan_hosts(campaign, chgnet))
        counts = finished_calculations(*asked, database)
        return sum(counts.values(), Counter()), cost_text(*asked, 1, database)

    return count


def test_all_of_a_finished_campaign_is_there(counted, finished, tools):
    found, text = counted(finished.directory)
    assert found == tools.kinds
    assert "16 of them finished, nothing to calculate" in text


def test_another_strain_is_what_is_left(counted, finished, tools):
    host = {**tools.strained, "strain": {"mode": "biaxial-ab", "values": [0.0, 0.01]}}
    found, text = counted(finished.directory, hosts=[host, tools.small["hosts"][1]])
    assert found == {**tools.kinds, "pristine": 2, "vacancy": 4}
    assert "13 of them finished, about" in text


def test_nothing_of_other_settings_is_there_but_the_references(counted, finished):
    found, _ = counted(finished.directory, relax={"fmax": 0.25, "max_steps": 100})
    assert found == {"reference": 3}
