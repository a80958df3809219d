"""Folders of finished runs become rows: pairs, references, refusals, and what is kept."""

import shutil
import sqlite3

import pandas as pd
import pytest

from vacancy_flows.analysis import OxygenReference
from vacancy_flows.database import ResultsDatabase
from vacancy_flows.engines.vasp.reading import read_run
from vacancy_flows.errors import InputError
from vacancy_flows.ingest import ingested_records
from vacancy_flows.lock import WriterLock
from vacancy_flows.tables import vacancy_tables


def rows(database, reference=None):
    """Vacancies with E_f, by site."""
    tables = vacancy_tables(database, reference or OxygenReference("user", mu_o=-5.0))
    return pd.concat([table for _, table in tables]).set_index("site", drop=False)


def kinds(database):
    return sorted(record.calculation.kind for record in database.records())


def test_real_pair(real, ingest):
    done = ingest(real.bulk, real.vacancy)
    assert done.status == 0
    (row,) = rows(done.database).to_dict("records")
    assert row["e_vacancy_eV"] - row["e_pristine_eV"] == pytest.approx(13.30566578, abs=1e-6)
    assert "13.30566578 eV" in done.out
    found = {n: row[n] for n in ("host", "formula", "engine", "energy_scale", "removed_element")}
    assert found == {
        "host": "GaN",
        "formula": "Ga16N15",
        "engine": "vasp",
        "energy_scale": "pbesol",
        "removed_element": "N",
    }
    assert (row["wyckoff"], row["multiplicity"], row["coordination"]) == ("2b", 16, 4)
    assert (row["n_atoms"], row["strain_mode"], row["converged"]) == (32, "custom", True)
    assert pd.isna(row["formation_energy_eV"])  # whatever mu_O: N was removed
    assert pd.isna(row["mu_o_eV"])


def test_real_oxygen_of_another_functional_is_refused(real, ingest):
    done = ingest(real.root)
    assert done.status == 1
    assert kinds(done.database) == ["pristine", "reference", "vacancy"]
    assert "O2 reference" in done.err
    assert "functional PBEsol against HSE06" in done.err
    assert "cutoff 420 eV against 620 eV" in done.err
    assert "o2_uid" not in done.database.records().__next__().calculation.reference_uids
    again = ingest(real.root, database="other/results.db", allow=True)
    assert again.status == 1
    assert "cannot be mixed, flagged or not" in again.err  # energies of two functionals


def test_tree_of_oxide(made, ingest):
    done = ingest(made)
    assert (done.status, done.err) == (0, "")
    assert kinds(done.database) == ["pristine", *["reference"] * 3, "vacancy", "vacancy"]
    found = rows(done.database)
    assert len(found) == 2
    assert set(found["wyckoff"]) <= {"4i", "8j"}
    assert set(found["energy_scale"]) == {"pbe+u"}
    energies = {name: read_run(made / name).energy for name in ("pristine", "vacancy_6")}
    difference = energies["vacancy_6"] - energies["pristine"]
    stored = found["e_vacancy_eV"] - found["e_pristine_eV"]
    assert min(abs(stored - difference)) < 1e-8
    assert (found["formation_energy_eV"] - stored).to_list() == pytest.approx([-5.0, -5.0])


def test_references_are_stored_per_unit(made, ingest):
    table = ingest(made).database.table().set_index("reference_kind")
    for kind, units in (("O2", 1), ("Li", 2), ("Li2O", 1)):
        energy = read_run(made / "references" / kind).energy
        assert table.loc[kind, "energy_eV"] == pytest.approx(energy / units)
    vacancies = table[table["kind"] == "vacancy"]
    assert set(vacancies["o2_uid"]) == {table.loc["O2", "uid"]}
    assert set(vacancies["li2o_uid"]) == {table.loc["Li2O", "uid"]}


def test_no_reference_leaves_e_f_empty_until_one_comes(made, ingest):
    done = ingest(*(made / name for name in ("pristine", "vacancy_6")))
    assert done.status == 0
    assert "E_f empty" in done.out
    database = done.database
    assert rows(database, OxygenReference())["formation_energy_eV"].isna().all()
    assert "no O2 reference named" in rows(database, OxygenReference())["reason"].iloc[0]
    assert rows(database)["formation_energy_eV"].notna().all()  # a mu_O of the user's own
    printed = ingest(made / "pristine", made / "vacancy_6", mu_o=-5.0)
    assert "E_f = " in printed.out
    later = ingest(made / "references")
    assert later.status == 0
    (row,) = later.database.table().query("kind == 'vacancy'").to_dict("records")
    assert all(isinstance(row[name], str) for name in ("o2_uid", "li_uid", "li2o_uid"))


@pytest.mark.parametrize("order", [("vacancy_6", "pristine"), ("pristine", "vacancy_6")])
def test_one_after_the_other(made, ingest, order):
    first = ingest(made / order[0])
    assert kinds(first.database) == ["pristine"]  # nothing to tell it from
    second = ingest(made / order[1])
    assert (second.status, kinds(second.database)) == (0, ["pristine", "vacancy"])
    assert rows(second.database)["e_pristine_eV"].notna().all()


def test_again_changes_nothing(made, ingest):
    first = ingest(made)

    def content():
        with sqlite3.connect(first.path) as connection:
            systems = connection.execute("SELECT * FROM systems").fetchall()
        return systems, {p: p.read_bytes() for p in first.path.parent.glob("ingested/*")}

    before = content()
    again = ingest(made)
    assert content() == before
    assert again.status == 0


def test_documents_hold_the_rows(made, ingest):
    done = ingest(made)
    kept = {record.uid: record for record in ingested_records(done.path.parent)}
    stored = {record.uid: record for record in done.database.records()}
    assert kept.keys() == stored.keys()
    rebuilt = ResultsDatabase(done.path.with_name("rebuilt.db"))
    rebuilt.add(kept.values())
    tables = [d.table().set_index("uid").sort_index() for d in (rebuilt, done.database)]
    pd.testing.assert_frame_equal(*tables)
    for uid, record in kept.items():
        assert record.result.energy == stored[uid].result.energy
        assert record.structure.site_properties == stored[uid].structure.site_properties


def test_labels_follow_the_atoms(made, ingest):
    records = {
        r.calculation.kind: r
        for r in ingest(made / "pristine", made / "vacancy_9").database.records()
    }
    labels = records["pristine"].structure.site_properties["label"]
    site = records["vacancy"].calculation.site
    assert site == labels[9]
    assert records["vacancy"].structure.site_properties["label"] == labels[:9] + labels[10:]


def test_any_removed_element(made, make, ingest, tmp_path):
    make.vasp(tmp_path / "v_li", make.without(make.oxide, 0), **make.hubbard(4.2))
    done = ingest(made / "pristine", tmp_path / "v_li", mu_o=-5.0)
    (row,) = rows(done.database).to_dict("records")
    assert row["removed_element"] == "Li"
    assert pd.isna(row["formation_energy_eV"])
    assert "removed element is Li" in done.out


def test_bad_files_are_told_and_the_rest_goes_in(tree, ingest):
    text = (tree / "vacancy_9" / "vasprun.xml").read_bytes()
    (tree / "vacancy_9" / "vasprun.xml").write_bytes(text[: len(text) // 2])
    for name, content in (("empty", b""), ("foreign", b"<html></html>")):
        (tree / name).mkdir()
        (tree / name / "vasprun.xml").write_bytes(content)
    (tree / "killed").mkdir()
    shutil.copy(tree / "pristine" / "OUTCAR", tree / "killed")
    done = ingest(tree)
    assert done.status == 1
    problems = [line for line in done.err.splitlines() if line.startswith("PROBLEM")]
    assert len(problems) == 4
    for said in ("is truncated", "is empty", "is no vasprun.xml", "no vasprun.xml"):
        assert said in done.err
    assert "Traceback" not in done.err
    assert kinds(done.database) == ["pristine", *["reference"] * 3, "vacancy"]


def test_unconverged_is_stored_and_says_so(made, make, ingest, tmp_path):
    tags = {**make.hubbard(4.2), **make.relax, "NSW": 3}
    make.vasp(
        tmp_path / "v", make.without(make.shaken(make.oxide), 6), fault={"fault": "ionic"}, **tags
    )
    done = ingest(made / "pristine", tmp_path / "v")
    (row,) = rows(done.database).to_dict("records")
    assert not row["converged"]
    assert "ions not converged" in row["reason"]


@pytest.mark.parametrize("name", ["nothing", "empty"])
def test_wrong_places(ingest, tmp_path, name):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=name):
        ingest(tmp_path / name)
    assert not (tmp_path / "db").exists()


def test_wrong_databases(made, ingest, tmp_path):
    (tmp_path / "notes.txt").write_text("no database")
    with pytest.raises(InputError, match="is not a results database"):
        ingest(made, database="notes.txt")
    with pytest.raises(InputError, match="does not exist"):
        ingest(made, pristine=[tmp_path / "nowhere"])
    (tmp_path / "db").mkdir()
    with (
        WriterLock(tmp_path / "db" / "results.db"),
        pytest.raises(InputError, match="being written"),
    ):
        ingest(made)


def test_pristine_that_fits_nothing_is_told(made, ingest):
    done = ingest(made / "references", pristine=[made / "pristine"])
    assert "no vacancy of it is there" in done.err
    assert done.status == 1
