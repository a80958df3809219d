"""`report`, the derived tables beside it, and rows for other programs."""

import io
import json
import math
import sqlite3

import ase.io
import numpy as np
import pandas as pd
import pytest
from monty.json import MontyDecoder

from vacancy_flows.analysis import OxygenReference, oxygen_thermal_term
from vacancy_flows.database import ResultsDatabase
from vacancy_flows.derived import derived_tables, records_of
from vacancy_flows.exports import to_defect_entry, to_entry
from vacancy_flows.reading import query_database
from vacancy_flows.reporting import report_tables
from vacancy_flows.tables import vacancy_tables, with_reference


@pytest.fixture(scope="module")
def database(finished):
    return ResultsDatabase.open(finished.directory / "results.db")


@pytest.fixture(scope="module")
def derived(database):
    ((reference, table),) = vacancy_tables(database)
    return derived_tables(database, table, reference, records_of(database, table))


def test_report_writes_a_page_with_every_row_and_its_reference(command, finished, tmp_path):
    path = finished.directory / "results.db"
    done = command("report", path, "-o", "out", "--temperature", "300")
    assert done.status == 0, done.err
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    table = pd.read_csv(tmp_path / "out" / "vacancies.csv")
    assert len(table) == 6
    assert all(uid in page for uid in table.uid)
    assert "300 K" in page
    assert "neutral" in page
    for name in ("elastic_dipoles.csv", "thermodynamics.csv", "environments.csv"):
        assert (tmp_path / "out" / name).is_file()
    assert (tmp_path / "out" / "temperature_pressure_chgnet_P.png").is_file()


def test_report_of_nothing_is_an_empty_page_and_no_error(command, finished):
    done = command("report", finished.directory / "results.db", "host=nobody", "-o", "out")
    assert done.status == 0, done.err


def test_report_on_what_is_no_database_is_refused(command, tmp_path):
    (tmp_path / "x.db").write_text("no database")
    done = command("report", tmp_path / "x.db", "-o", "out")
    assert done.status == 2
    assert "not a results database" in done.err
    assert not (tmp_path / "out").exists()


def test_mixed_scales_in_one_figure_are_drawn_apart(command, finished, tmp_path):
    copy = tmp_path / "two.db"
    copy.write_bytes((finished.directory / "results.db").read_bytes())
    with sqlite3.connect(copy) as connection:
        rows = connection.execute("SELECT id, key_value_pairs FROM systems").fetchall()
        for number, pairs in rows:
            content = json.loads(pairs)
            if content.get("host") == "P" or content["kind"] == "reference":
                continue
            content["engine"] = "other"  # an engine that does not exist
            text = json.dumps(content)
            connection.execute("UPDATE systems SET key_value_pairs=? WHERE id=?", (text, number))
    done = command("report", copy, "-o", "out", "--mu-o", "-5")
    assert done.status == 0, done.err
    names = {path.name for path in (tmp_path / "out").glob("*.png")}
    assert {"formation_energy_strain_chgnet.png", "formation_energy_strain_other.png"} <= names


def test_environments_are_those_of_the_pristine_cell(derived):
    frame = derived["environments"].set_index(["host", "site"])
    assert (frame.loc["P"].tm_neighbours == 2).all()
    assert (frame.loc["P"].li_neighbours == 4).all()
    assert (frame.loc["D"].li_neighbours < 4).any()


def test_every_table_of_formation_energies_says_on_which_scale_and_reference(derived):
    labels = ["engine", "energy_scale", "oxygen_scheme", "temperature_K", "pressure_bar"]
    for name in ("environments", "strain_comparison", "correlations"):
        found = derived[name][labels].drop_duplicates().to_numpy().tolist()
        assert found == [["chgnet", "mp2020", "O2", 0.0, 1.0]], name


def test_two_references_in_one_table_have_no_correlation(database):
    ((reference, table),) = vacancy_tables(database)
    table.loc[table.index[:3], "oxygen_scheme"] = "Li2O"
    found = derived_tables(database, table, reference, records_of(database, table))
    assert "environments" in found
    assert "correlations" not in found


def test_bonds_around_each_vacancy_are_followed(derived):
    frame = derived["bond_changes"]
    assert set(frame.host) == {"P", "D"}
    cut = frame.groupby(["host", "strain", "vacancy"]).size()
    assert (cut.loc["P"] == 6).all()  # 2 Mn and 4 Li
    manganese = frame[(frame.host == "P") & (frame.species == "Mn")]
    assert (manganese.outward_A > 0).all()  # the cations leave the place of the anion


def test_sizes_of_one_host_are_extrapolated(finished, tmp_path):
    """The finished rows again as a cell of twice the atoms, its numbers invented."""
    database = ResultsDatabase(tmp_path / "results.db")
    records = list(ResultsDatabase.open(finished.directory / "results.db").records())
    larger = []
    for record in records:
        own = record.calculation
        if own.host != "P" or own.kind not in ("pristine", "vacancy") or own.strain != 0:
            continue
        update = {"uid": f"{own.uid}b", "host": "P2", "n_atoms": 24}
        if own.pristine_uid:
            update["pristine_uid"] = f"{own.pristine_uid}b"
        lower = record.result.energy - (0.12 if own.kind == "vacancy" else 0.0)
        result = record.result.model_copy(update={"energy": lower})
        calculation = own.model_copy(update=update)
        larger.append(record.model_copy(update={"calculation": calculation, "result": result}))
    database.add([*records, *larger])
    ((reference, table),) = vacancy_tables(database)
    stored = records_of(database, table)
    frame = derived_tables(database, table, reference, stored)["size_extrapolation"]
    assert set(frame.n_atoms) == {"12 24"}
    small = table[(table.host == "P") & (table.strain == 0)].set_index("wyckoff")
    for row in frame.to_dict("records"):
        e_f = small.formation_energy_eV[row["wyckoff"]]
        assert row["e_infinite_eV"] == pytest.approx(e_f - 0.24)  # E_f(N) = E + a/N
        assert (row["energy_scale"], row["oxygen_scheme"]) == ("mp2020", "O2")
        assert row["slope_eV_atoms"] == pytest.approx(0.12 * 24)


def test_a_dipole_predicts_that_tension_helps(derived):
    dipoles = derived["elastic_dipoles"]
    assert set(dipoles.host) == {"P", "D"}
    assert (dipoles.trace_eV > 0).all()
    predicted = derived["strain_comparison"]
    strained = predicted[predicted.strain > 0]
    assert len(strained) == 2
    assert (strained.error_eV.abs() < 0.05).all()  # 2 %, loose forces


def test_thermodynamics_start_from_energies_without_a_thermal_term(database):
    hot = OxygenReference(temperature=600.0, pressure=0.21)
    ((_, table),) = vacancy_tables(database, hot)
    frame = derived_tables(database, table, hot, records_of(database, table))["thermodynamics"]
    cold = with_reference(database, table, OxygenReference())
    moved = table.formation_energy_eV - cold.formation_energy_eV
    assert np.allclose(moved, oxygen_thermal_term(600.0, 0.21, "298K"), atol=1e-9)
    assert (frame.groupby("uid").size() == 8).all()
    assert set(frame.temperature_K) == {300.0, 600.0, 900.0, 1200.0}


def test_a_users_own_mu_o_has_no_map(database):
    own = OxygenReference(scheme="user", mu_o=-5.0)
    ((_, table),) = vacancy_tables(database, own)
    assert "thermodynamics" not in derived_tables(database, table, own, records_of(database, table))


def test_extended_xyz_reads_back(command, finished, database):
    done = command("query", finished.directory / "results.db", "host=P", "--format", "extxyz")
    frames = ase.io.read(io.StringIO(done.out), index=":", format="extxyz")
    assert len(frames) == 4
    for atoms in frames:
        record = database.get(atoms.info["uid"])
        assert math.isclose(atoms.get_potential_energy(), record.result.energy, abs_tol=1e-6)
        assert np.allclose(atoms.get_forces(), record.result.forces, atol=1e-6)
        assert np.allclose(atoms.get_stress(voigt=False), record.result.stress, atol=1e-7)


def test_entries_keep_the_raw_energy_and_say_the_scale(command, finished, database):
    done = command("query", finished.directory / "results.db", "kind=host", "--format", "entries")
    (entry,) = MontyDecoder().decode(done.out)
    record = database.get(entry.entry_id)
    assert entry.energy == record.result.energy
    assert entry.correction == 0
    assert entry.parameters["energy_scale"] == "mp2020"
    assert to_entry(record).composition.reduced_formula == "Li2MnO3"


def test_a_defect_entry_gives_back_the_raw_difference(database):
    pytest.importorskip("pymatgen.analysis.defects", reason="the extra `defects` is missing")
    table = database.table()
    row = table[(table.kind == "vacancy") & (table.host == "P") & (table.strain == 0)].iloc[0]
    vacancy, pristine = database.get(row.uid), database.get(row.pristine_uid)
    entry = to_defect_entry(vacancy, pristine)
    assert entry.charge_state == 0
    assert entry.defect.site.specie.symbol == "O"
    difference = vacancy.result.energy - pristine.result.energy
    assert entry.get_ediff() == pytest.approx(difference, abs=1e-9)
    with pytest.raises(ValueError, match="not the pristine cell"):
        to_defect_entry(vacancy, vacancy)


def test_figures_of_charges_and_of_sites_at_boundaries(finished, tmp_path):
    """Charges and a boundary put by hand into the records of a finished campaign: D is bulk."""
    database = ResultsDatabase(tmp_path / "results.db")
    records = []
    for record in ResultsDatabase.open(finished.directory / "results.db").records():
        calculation, structure = record.calculation, record.structure.copy()
        if calculation.host == "P":
            structure.properties["boundary"] = {
                "kind": "bicrystal",
                "preset": {"name": "invented", "thickness": 5.0},
                "planes": [{"boundary": 1, "fraction": 0.5}],
            }
        charge = None if calculation.site is None else -1.0 - 0.1 * (calculation.site == "O-8j-1")
        calculation = calculation.model_copy(update={"net_charge": charge})
        result = record.result.model_copy(update={"structure": structure})
        records.append(record.model_copy(update={"calculation": calculation, "result": result}))
    database.add(records)
    ((reference, table),) = vacancy_tables(database)
    assert set(table.net_charge) == {-1.0, -1.1}
    written = report_tables(database, [(reference, table)], tmp_path / "out", "Invented")
    names = {path.name for path in written}
    assert {"net_charge_chgnet.svg", "sites_b_chgnet_P.png"} <= names
    assert "sites_b_chgnet_P_biaxial-ab_+0.02.png" in names
    assert all(path.is_file() for path in written)
    along_b = (tmp_path / "out" / "sites_b_chgnet_P.svg").read_text(encoding="utf-8")
    assert "bulk delithiated" in along_b
    cells = [path for path in written if path.parent.name == "cells" and path.suffix == ".png"]
    assert len(cells) == 4  # two sites of two hosts, unstrained
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "against the net charge of the O removed" in page
    assert "each site along b" in page
    shown = query_database(database.path, "net_charge<-1.05", "csv", {})
    assert set(pd.read_csv(io.StringIO(shown)).site) == {"O-8j-1"}
