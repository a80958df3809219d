"""results.db from the raw documents: what is kept, what is told, what is left alone."""

import json

import pytest
from monty.json import MontyEncoder

from vacancy_flows.database import ResultsDatabase
from vacancy_flows.errors import InputError
from vacancy_flows.rawstore import RawStore
from vacancy_flows.repair import repair_directory

OXYGEN = {"engine": "chgnet", "oxygen_reference": {"scheme": "user", "mu_o": -5.0}}


def under(directory):
    return sorted(str(path.relative_to(directory)) for path in directory.rglob("*"))


def describe(directory, **descriptions):
    raw = RawStore(directory)
    for name, description in descriptions.items():
        raw.describe(name, description)
    raw.close()


@pytest.fixture
def undescribed(copy):
    """The copy, as a run of an earlier version left it."""
    (copy.directory / "jobstore" / "campaigns.json").unlink(missing_ok=True)
    return copy


@pytest.mark.parametrize("deep", ["jobstore", "jobstore/db"])
def test_an_empty_jobstore_leaves_nothing_behind(tmp_path, deep):
    (tmp_path / deep).mkdir(parents=True)
    before = under(tmp_path)
    with pytest.raises(InputError, match="holds no finished calculation"):
        repair_directory(tmp_path)
    assert under(tmp_path) == before


def test_a_jobstore_without_records_leaves_the_database_alone(copy):
    raw = RawStore(copy.directory)
    raw.store.docs_store.remove_docs({"metadata.record": True})
    raw.add([{"uuid": "1", "index": 1, "metadata": {}}])
    raw.close()
    before = under(copy.directory), (copy.directory / "results.db").read_bytes()
    with pytest.raises(InputError, match="holds no finished calculation"):
        repair_directory(copy.directory)
    assert (under(copy.directory), (copy.directory / "results.db").read_bytes()) == before


def test_a_failed_repair_leaves_no_half_of_a_file(monkeypatch, copy):
    def fail(*args):
        raise OSError(28, "No space left on device")

    before = under(copy.directory)
    monkeypatch.setattr(ResultsDatabase, "describe_campaign", fail)
    with pytest.raises(OSError, match="No space"):
        repair_directory(copy.directory)
    assert under(copy.directory) == before


def test_descriptions_are_kept_beside_the_documents(copy):
    describe(copy.directory, small=OXYGEN, other={"engine": "chgnet"})
    describe(copy.directory, other={"engine": "chgnet-r2scan"})
    (copy.directory / "results.db").unlink()
    text = repair_directory(copy.directory)
    campaigns = ResultsDatabase.open(copy.directory / "results.db").campaigns
    assert campaigns == {"small": OXYGEN, "other": {"engine": "chgnet-r2scan"}}
    assert "not known" not in text
    assert not list(copy.directory.rglob("*.part"))


def test_descriptions_of_old_database_and_jobstore_are_merged(undescribed):
    path = undescribed.directory / "results.db"
    before = ResultsDatabase.open(path).campaigns
    describe(undescribed.directory, other=OXYGEN)
    repair_directory(undescribed.directory)
    assert ResultsDatabase.open(path).campaigns == before | {"other": OXYGEN}


def test_a_lost_oxygen_reference_is_told(undescribed):
    (undescribed.directory / "results.db").unlink()
    text = repair_directory(undescribed.directory)
    assert "16 calculations rebuilt; the oxygen reference of small is not known" in text
    assert f"`vacancy-flows run SPEC -d {undescribed.directory}` restores it" in text


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"a": 1}', b"\xff", b"[" * 100_000])
def test_descriptions_that_cannot_be_read(copy, content):
    path = copy.directory / "jobstore" / "campaigns.json"
    path.write_bytes(content)
    before = under(copy.directory), (copy.directory / "results.db").read_bytes()
    with pytest.raises(InputError, match=r"campaigns\.json: holds no descriptions .* move it away"):
        repair_directory(copy.directory)
    assert (under(copy.directory), (copy.directory / "results.db").read_bytes()) == before
    describe(copy.directory, small=OXYGEN)  # a run writes them anew
    assert json.loads(path.read_text()) == {"small": OXYGEN}


def test_the_journal_of_a_killed_run_goes_with_the_old_file(copy):
    """SQLite would play it back into the new one."""
    path = copy.directory / "results.db"
    path.write_bytes(b"ruined")
    (copy.directory / "results.db-journal").write_bytes(b"of the ruin")
    repair_directory(copy.directory)
    assert not (copy.directory / "results.db-journal").exists()
    assert (copy.directory / "results.db.old-journal").read_bytes() == b"of the ruin"
    assert len(ResultsDatabase.open(path)) == 16


def test_ingested_runs_are_rebuilt_beside_what_was_calculated(copy, make_record):
    path = copy.directory / "results.db"
    foreign = make_record("uforeign", campaign="", host="GaN")
    folder = copy.directory / "ingested"
    folder.mkdir()
    content = {"format": 1, "run": {}, "sidecar": None, "record": foreign.model_dump()}
    text = json.dumps(content, cls=MontyEncoder)
    (folder / "uforeign.json").write_text(text, encoding="utf-8")
    before = ResultsDatabase.open(path).uids()
    assert "17 calculations rebuilt" in repair_directory(copy.directory)
    database = ResultsDatabase.open(path)
    assert database.uids() == before | {"uforeign"}
    assert database.get("uforeign") == foreign
    assert database.superseded == 0
