"""What a campaign writes beside its rows."""

import pytest

from vacancy_flows.database import ResultsDatabase
from vacancy_flows.ledger import Ledger
from vacancy_flows.rawstore import RawStore
from vacancy_flows.uses import Use

DESCRIPTION = {"engine": "chgnet", "oxygen_reference": {"scheme": "O2"}, "settings": "s1"}


@pytest.fixture
def kept(tmp_path, make_record):
    """A ledger that has settled and uses two rows; what it said."""
    database, raw = ResultsDatabase(tmp_path / "results.db"), RawStore(tmp_path)
    said = []
    records = [make_record("u1", campaign="c"), make_record("u2", campaign="c")]
    database.add(records)
    ledger = Ledger("c", database, raw, said.append)
    ledger.begin(DESCRIPTION)
    ledger.settle()
    ledger.use(records)
    yield ledger, database, raw, said
    raw.close()


def test_what_a_failed_run_chose_instead_goes_with_the_next_complete_one(kept):
    ledger, database, raw, said = kept
    ledger.finish({"u1"}, complete=False)
    assert database.superseded == 0
    assert said == []
    ledger.finish({"u1"}, complete=True)
    assert database.superseded == 1
    assert database.table().set_index("uid").uses["u1"] == [Use("c", "H")]
    assert raw.descriptions()["c"]["uses"] == {"u1": ["c/H//"]}
    assert "1 calculations of earlier settings of campaign c are kept" in said[0]


def test_a_line_cut_off_by_a_kill_is_no_use(kept):
    _, _, raw, _ = kept
    path = raw._uses_of("c")
    path.write_text(path.read_text(encoding="utf-8") + "u3 c/H", encoding="utf-8")
    assert set(raw.descriptions()["c"]["uses"]) == {"u1", "u2"}


def test_nothing_is_claimed_before_the_reference_holds(kept, make_record):
    _, database, raw, said = kept
    changed = Ledger("c", database, raw, said.append)
    changed.begin({**DESCRIPTION, "settings": "s2"})
    changed.use([make_record("u1", campaign="c", host="New")])
    assert database.campaigns["c"]["settings"] == "s1"
    assert database.superseded == 0
    changed.settle()
    changed.finish({"u1"}, complete=True)
    table = database.table().set_index("uid")
    assert table.uses["u1"] == [Use("c", "New")]
    assert table.uses["u2"] == []
