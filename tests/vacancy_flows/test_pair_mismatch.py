"""The guard of a campaign's own records: what was done, where it differs from what was asked."""

import pytest

from vacancy_flows.database import ResultsDatabase
from vacancy_flows.engines.vasp import VaspSettings, fingerprint
from vacancy_flows.engines.vasp.run_settings import RunSettings
from vacancy_flows.guard import compared, pair_mismatch
from vacancy_flows.ledger import Ledger

TITELS = {"Li": "PAW_PBE Li_sv", "Mn": "PAW_PBE Mn_pv", "O": "PAW_PBE O"}
DONE = RunSettings(
    functional="PBE",
    u={"Mn": 4.2},
    u_scheme="Dudarev",
    encut=520.0,
    potcars={"Li": "Li_sv", "Mn": "Mn_pv", "O": "O"},
    titels=TITELS,
    ismear=0,
    sigma=0.05,
    kmesh="Γ 4×4×4",
    version="6.3.0",
    run="ions",
)
HASHES = {element: {"titel": TITELS[element], "sha256": 64 * element[0]} for element in TITELS}


@pytest.fixture
def vasp(make_record):
    """A record of VASP with some settings and POTCARs."""

    def make(kind="vacancy", potcars=HASHES, potcars_used=DONE.potcars, **changes):
        changes = {"potcars": potcars_used, **changes}
        settings = DONE.model_copy(update=changes).model_dump(mode="json")
        given = {"engine": "vasp", "energy_scale": "pbe+u"}
        given["fingerprint"] = fingerprint(VaspSettings())
        provenance = {"vasp": settings["version"], "settings": settings, "potcars": potcars}
        return make_record(kind=kind, result={"provenance": provenance}, record=given)

    return make


def test_one_machine_is_one_set_of_settings(vasp):
    own = {"kmesh": "Γ 1×1×1", "u": {}, "potcars_used": {"O": "O"}}
    references = {"O2": vasp("reference", version="6.4.2", **own)}
    assert pair_mismatch(vasp(), vasp("pristine"), references) == ""
    assert pair_mismatch(vasp(), None, {}) == ""


def test_every_difference_is_named_with_both_values(vasp):
    pristine = vasp("pristine", version="5.4.4", sigma=0.2)
    references = {"O2": vasp("reference", encut=400.0), "Li": vasp("reference")}
    found = pair_mismatch(vasp(), pristine, references)
    assert found == (
        "flagged: VASP version 6.3.0 against 5.4.4, SIGMA 0.05 eV against 0.2 eV, "
        "O2: cutoff 520 eV against 400 eV"
    )


def test_potcars_of_one_titel_and_two_contents(vasp):
    other = HASHES | {"O": {"titel": TITELS["O"], "sha256": 64 * "x"}}
    found = pair_mismatch(vasp(), vasp("pristine", potcars=other), {})
    assert found == "flagged: POTCAR of O sha256 OOOOOOOO against sha256 xxxxxxxx"
    titels = TITELS | {"O": "PAW_PBE O_s"}
    found = pair_mismatch(vasp(), vasp("pristine", potcars=other, titels=titels), {})
    assert found == "flagged: POTCAR of O PAW_PBE O against PAW_PBE O_s"


def test_what_was_asked_for_is_compared_where_no_more_is_known(make_record, vasp):
    """Records of before settings were read back hold a fingerprint only."""
    given = {"engine": "vasp", "energy_scale": "pbe+u"}
    given["fingerprint"] = fingerprint(VaspSettings(encut=600.0))
    bare = make_record(kind="pristine", record=given)
    assert "cutoff 520 eV against 600 eV" in pair_mismatch(vasp(), bare, {})


def test_other_engines_have_nothing_to_compare(make_record, vasp):
    assert pair_mismatch(make_record(), make_record(kind="pristine"), {"O2": make_record()}) == ""
    assert pair_mismatch(vasp(), make_record(kind="pristine"), {}) == ""


@pytest.fixture
def partners(vasp):
    """A vacancy, its pristine cell of another VASP, and O2 of another cutoff."""
    pristine, oxygen = vasp("pristine", version="5.4.4"), vasp("reference", encut=400.0)
    vacancy = vasp()
    for record, uid in ((vacancy, "uv"), (pristine, "up"), (oxygen, "uo")):
        record.calculation = record.calculation.model_copy(update={"uid": uid})
    update = {"pristine_uid": "up", "reference_uids": {"O2": "uo"}}
    vacancy.calculation = vacancy.calculation.model_copy(update=update)
    return {record.uid: record for record in (vacancy, pristine, oxygen)}


BOTH = "flagged: VASP version 6.3.0 against 5.4.4, O2: cutoff 520 eV against 400 eV"


def test_a_vacancy_of_other_settings_than_its_partners_is_not_converged(partners):
    found = compared(partners["uv"], partners.get)
    assert (found.result.converged, found.result.reason) == (False, BOTH)
    assert compared(partners["up"], partners.get) is partners["up"]
    alone = {"uv": partners["uv"]}
    assert compared(partners["uv"], alone.get).result.converged


def test_what_ingest_let_pass_stays(partners):
    vacancy = partners["uv"]
    vacancy.result.provenance["ingested_from"] = "somewhere/vasprun.xml"
    assert compared(vacancy, partners.get) is vacancy


class Documents:
    """Raw documents whose rows a kill left out, read from memory."""

    def __init__(self, records):
        self.kept = {record.uid: record for record in records}

    def uids(self):
        return set(self.kept)

    def records(self, uids):
        return (self.kept[uid] for uid in sorted(uids, reverse=True))

    def descriptions(self):
        return {}


@pytest.mark.parametrize("stored", [(), ("up", "uo")])
def test_a_row_taken_back_is_compared_too(partners, stored, tmp_path):
    database = ResultsDatabase(tmp_path / "results.db")
    database.add(partners[uid] for uid in stored)
    ledger = Ledger("c", database, Documents(partners.values()), print)
    assert ledger.adopt() == 3 - len(stored)
    found = database.get("uv").result
    assert (found.converged, found.reason) == (False, BOTH)
