"""Between a record and a row of ASE's database, without loss."""

import ase.db
import numpy as np
import pytest
from ase.db.core import reserved_keys

from vacancy_flows.database import ResultsDatabase
from vacancy_flows.rows import formula, to_row


@pytest.fixture
def round_trip(tmp_path):
    def through(record):
        database = ResultsDatabase(tmp_path / "results.db")
        database.add([record])
        return database.get(record.uid)

    return through


def test_round_trip_keeps_everything(make_record, round_trip):
    record = make_record(
        strain_mode="biaxial-ab",
        strain=0.02,
        site="O-8j-1",
        wyckoff="8j",
        multiplicity=8,
        coordination=5,
        removed_element="O",
        ordering=0,
        ordering_energy=0.0,
        pristine_uid="upristine",
        reference_uids={"O2": "uo2", "Li": "uli", "Li2O": "uli2o"},
        record={"choice": {"classes": [{"label": "O-8j-1", "members": ["O-8j-1"]}]}},
    )
    back = round_trip(record)
    one, other = record.model_dump(), back.model_dump()
    one["calculation"].pop("structure")
    other["calculation"].pop("structure")
    for part in (one, other):
        part["result"].pop("structure")
    assert other["calculation"] == one["calculation"]
    assert other["choice"] == one["choice"]
    assert other["fingerprint"] == one["fingerprint"]
    assert other["created"] == one["created"]
    stress = np.array(one["result"].pop("stress"))
    assert np.array(other["result"].pop("stress")) == pytest.approx(stress, abs=1e-15)
    assert other["result"] == one["result"]


def test_the_final_geometry_comes_back_unwrapped_with_labels(make_record, round_trip):
    record = make_record()
    structure = round_trip(record).structure
    assert np.array_equal(structure.frac_coords, record.structure.frac_coords)
    assert np.allclose(structure.lattice.matrix, record.structure.lattice.matrix, atol=1e-14)
    assert structure.species == record.structure.species
    assert structure.site_properties == record.structure.site_properties
    assert structure.properties == record.structure.properties


def test_stress_is_stored_with_ases_sign_and_order(make_record, tmp_path):
    record = make_record()
    ResultsDatabase(tmp_path / "results.db").add([record])
    atoms = ase.db.connect(tmp_path / "results.db").get_atoms(uid="u0")
    stress = record.result.stress
    assert atoms.get_stress(voigt=False) == pytest.approx(np.array(stress))
    assert atoms.get_stress()[3] == stress[1][2]  # Voigt: xx yy zz yz xz xy
    assert atoms.get_stress()[5] == stress[0][1]
    assert atoms.get_potential_energy() == record.result.energy


@pytest.mark.parametrize("missing", ["moments", "stress"])
def test_what_an_engine_does_not_know_stays_none(make_record, round_trip, missing):
    assert getattr(round_trip(make_record(result={missing: None})).result, missing) is None


def test_a_structure_without_site_properties(make_record, round_trip):
    structure = make_record().structure.copy()
    for name in list(structure.site_properties):
        structure.remove_site_property(name)
    back = round_trip(make_record(result={"structure": structure}))
    assert back.structure.site_properties == {}


def test_keys_are_none_of_ases_own(make_record):
    _, pairs, _ = to_row(make_record(reference_uids={"O2": "uo2"}, ordering=1, strain=0.02))
    assert not set(pairs) & set(reserved_keys)
    assert None not in pairs.values()
    assert "" not in pairs.values()


def test_pairs_are_worth_selecting_on(make_record, tmp_path):
    record = make_record(strain_mode="none", strain=0.0, result={"converged": False})
    ResultsDatabase(tmp_path / "results.db").add([record])
    row = next(ase.db.connect(tmp_path / "results.db").select("host=H,strain=0,kind=vacancy"))
    assert row.cell_formula == "Li1Mn1O1"
    assert row.max_force == record.result.max_force
    assert row.is_converged == 0
    assert row.volume_per_atom == pytest.approx(record.structure.volume / 3)
    assert "ordering" not in row  # nothing was delithiated


def test_formula_is_pymatgens_without_spaces(host12):
    assert formula(host12) == "Li4Mn2O6"
