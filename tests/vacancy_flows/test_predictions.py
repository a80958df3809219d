"""`predict: true`: only unstrained cells are calculated, strained ones follow from stresses."""

import shutil
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from vacancy_flows.analysis import OxygenReference
from vacancy_flows.analysis.dipole_prediction import CURVATURE_ESTIMATE, curvature_error
from vacancy_flows.campaign_file import load_campaign
from vacancy_flows.commands import run_here
from vacancy_flows.database import ResultsDatabase
from vacancy_flows.errors import InputError
from vacancy_flows.planning import expected_calculations, plan_hosts
from vacancy_flows.predictions import PREDICTION_COLUMNS, predict_strains, write_predictions
from vacancy_flows.reporting import report_tables
from vacancy_flows.structures import MODES
from vacancy_flows.tables import vacancy_tables

PREDICTED = {"mode": "biaxial-ab", "values": [-0.02, 0.0, 0.02, 0.04], "predict": True}
OTHER = {"mode": "hydrostatic", "values": [0.02], "predict": True}
DIRECT = {"mode": "biaxial-ab", "values": [0.0, 0.02]}
BRIEF = (
    "host",
    "ordering",
    "site",
    "strain_mode",
    "strain",
    "predicted_eV",
    "error_eV",
    "formation_energy_unstrained_eV",
    "uid",
    "engine",
    "energy_scale",
    "oxygen_scheme",
)


def strains(campaign):
    return campaign.strains_of(campaign.hosts[0])


def predictions(campaign):
    return campaign.predictions_of(campaign.hosts[0])


@pytest.fixture(scope="module")
def spec(tools, tmp_path_factory):
    """The strained host of the small campaign with predictions; a host without any."""
    folder = tmp_path_factory.mktemp("predicted")
    asks = tools.strained | {"strain": [DIRECT, PREDICTED, OTHER]}
    content = tools.small | {"name": "asks", "hosts": [asks, tools.small["hosts"][1]]}
    return tools.write(folder / "asks.yaml", content)


@pytest.fixture(scope="module")
def ran(finished, spec, tmp_path_factory):
    """That campaign over a copy of the finished small one, which has all it needs."""
    directory = tmp_path_factory.mktemp("ran") / "out"
    shutil.copytree(finished.directory, directory)
    status = run_here(spec, directory, 1)
    table = pd.read_csv(directory / "strain_predictions.csv")
    vacancies = pd.read_csv(directory / "vacancies.csv", keep_default_na=False, na_values=[""])
    return SimpleNamespace(directory=directory, status=status, table=table, vacancies=vacancies)


@pytest.fixture
def database(ran):
    return ResultsDatabase(ran.directory / "results.db")


def test_predicted_block_has_no_strained_cell(load, engine):
    campaign = load(strain=[PREDICTED, OTHER])
    assert strains(campaign) == [("none", 0.0)]
    (plan,) = plan_hosts(campaign, engine)
    assert expected_calculations(plan) == {"host": 1, "pristine": 1, "vacancy": 2}


def test_zero_strain_is_calculated_and_not_predicted(load):
    expected = [("biaxial-ab", -0.02), ("biaxial-ab", 0.02), ("biaxial-ab", 0.04)]
    assert predictions(load(strain=PREDICTED)) == expected


def test_prediction_beside_calculated_strain(load):
    campaign = load(strain=[{"mode": "uniaxial-a", "values": [0.03]}, OTHER, OTHER])
    assert strains(campaign) == [("uniaxial-a", 0.03), ("none", 0.0)]
    assert predictions(campaign) == [("hydrostatic", 0.02)]


def test_without_predict_nothing_is_predicted(load):
    campaign = load(strain=PREDICTED | {"predict": False})
    assert predictions(campaign) == predictions(load()) == []
    assert len(strains(campaign)) == 4


def test_block_of_a_host_goes_over_the_common_one(load):
    campaign = load({"strain": OTHER}, strain=PREDICTED)
    assert predictions(campaign) == [("hydrostatic", 0.02)]
    assert predictions(load({"strain": DIRECT}, strain=PREDICTED)) == []


@pytest.mark.parametrize("value", [1, "yes", None, 0.5])
def test_predict_is_true_or_false(load, value):
    with pytest.raises(InputError, match=r"strain\.0\.predict: must be true or false"):
        load(strain=PREDICTED | {"predict": value})


def test_misspelt_key_is_named(load):
    with pytest.raises(InputError, match="did you mean 'predict'"):
        load(strain=DIRECT | {"predikt": True})


@pytest.mark.parametrize("block", [PREDICTED, [{**OTHER, "values": [0.0]}]])
def test_free_cell_is_refused(load, block):
    with pytest.raises(InputError, match=r"relax\.cell: a free cell has no stress .*cell: fixed"):
        load(strain=block, relax={"cell": "free"})
    with pytest.raises(InputError, match="host 'A'"):
        load({"strain": block, "relax": {"cell": "free"}})


def test_nothing_is_calculated_for_a_prediction(ran, finished, tools):
    assert ran.status == 0
    before, after = tools.stored(finished.directory), tools.stored(ran.directory)
    assert len(after) == len(before) == sum(tools.kinds.values())


def test_uids_of_the_calculated_rows_stay(ran, finished):
    columns = ["uid", "host", "strain_mode", "strain", "formation_energy_eV"]
    before = pd.read_csv(finished.directory / "vacancies.csv")[columns]
    pd.testing.assert_frame_equal(ran.vacancies[columns], before)


def test_predict_alone_plans_the_same_unstrained_cell(load, engine):
    (alone,) = plan_hosts(load(strain=PREDICTED), engine)
    (without,) = plan_hosts(load(), engine)
    assert alone == without


def test_run_with_a_predicted_block_alone(finished, tools, tmp_path, capsys):
    host = tools.strained | {"strain": PREDICTED}
    spec = tools.write(tmp_path / "alone.yaml", tools.small | {"name": "alone", "hosts": [host]})
    shutil.copytree(finished.directory, tmp_path / "out")
    assert run_here(spec, tmp_path / "out", 1) == 0
    table = pd.read_csv(tmp_path / "out" / "vacancies.csv", keep_default_na=False)
    assert list(table.strain_mode) == ["none", "none"]
    assert len(pd.read_csv(tmp_path / "out" / "strain_predictions.csv")) == 6
    said = capsys.readouterr().out
    assert "6 values of E_f under strain are predicted from the elastic dipole, not calc" in said
    for name in ("strain_predictions.csv", "formation_energy_predicted.png"):
        assert f"{name}\n" in said


def test_run_calculates_only_the_unstrained_cell(tools, tmp_path):
    host = tools.strained | {"strain": PREDICTED, "sites": {"labels": ["O-8j-1"]}}
    relax = {"fmax": 0.5, "max_steps": 100}
    content = tools.small | {"name": "fresh", "hosts": [host], "relax": relax}
    content["oxygen_reference"] = {"scheme": "user", "mu_o": -5.0}
    assert run_here(tools.write(tmp_path / "fresh.yaml", content), tmp_path / "out", 1) == 0
    rows = ResultsDatabase(tmp_path / "out" / "results.db").table()
    assert sorted(rows.kind) == ["host", "pristine", "vacancy"]
    assert set(rows.strain_mode.dropna()) == {"none"}
    table = pd.read_csv(tmp_path / "out" / "strain_predictions.csv")
    assert list(table.strain) == [-0.02, 0.02, 0.04]
    assert table.predicted_eV.is_monotonic_decreasing


def test_columns_and_rows(ran):
    assert tuple(ran.table.columns[: len(BRIEF)]) == BRIEF
    assert tuple(ran.table.columns) == PREDICTION_COLUMNS
    assert set(ran.table.host) == {"P"}  # D asks for no prediction
    assert len(ran.table) == 2 * 4
    unstrained = ran.vacancies[ran.vacancies.strain_mode == "none"].set_index("uid")
    start = unstrained.formation_energy_eV.loc[ran.table.uid].to_numpy()
    assert ran.table.formation_energy_unstrained_eV.to_numpy() == pytest.approx(start)


def test_predicted_numbers_are_no_vacancies(ran):
    assert len(ran.vacancies) == 6
    assert set(ran.vacancies.strain) == {0.0, 0.02}


@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_figure_is_there(ran, suffix):
    figure = ran.directory / "figures" / f"formation_energy_predicted.{suffix}"
    assert figure.stat().st_size > 5000


def test_tension_lowers_and_compression_raises(ran):
    # P is positive: a vacancy of Li2MnO3 pushes outwards (science.md, section 5)
    change = ran.table.predicted_eV - ran.table.formation_energy_unstrained_eV
    assert (change[ran.table.strain > 0] < -0.05).all()
    assert (change[ran.table.strain < 0] > 0.05).all()


def test_it_falls_as_the_calculated_one_does(ran):
    direct = ran.vacancies[(ran.vacancies.strain == 0.02) & (ran.vacancies.host == "P")]
    mine = ran.table[(ran.table.strain_mode == "biaxial-ab") & (ran.table.strain == 0.02)]
    joined = mine.merge(direct, on=["host", "site"])
    assert len(joined) == 2
    fall = joined.formation_energy_eV - joined.formation_energy_unstrained_eV
    expected = joined.predicted_eV - joined.formation_energy_unstrained_eV
    assert (fall < 0).all()
    assert (abs(fall - expected) < 0.05).all()  # loose forces, hence the width


def test_value_from_the_stored_stresses_by_hand(ran, database):
    for row in ran.table.to_dict("records"):
        vacancy = database.get(row["uid"])
        pristine = database.get(vacancy.calculation.pristine_uid)
        axes = np.array(pristine.structure.properties["axes"])
        a, b, _ = axes @ pristine.structure.lattice.matrix
        volume = pristine.structure.volume
        dipole = -volume * (np.array(vacancy.result.stress) - np.array(pristine.result.stress))
        normal = np.cross(a, b) / np.linalg.norm(np.cross(a, b))
        plane = np.eye(3) - np.outer(normal, normal)
        strain = row["strain"] * (plane if row["strain_mode"] == "biaxial-ab" else np.eye(3))
        expected = row["formation_energy_unstrained_eV"] - np.sum(dipole * strain)
        assert row["predicted_eV"] == pytest.approx(expected, abs=3e-6)


def test_error_grows_as_the_square(ran):
    error = ran.table[ran.table.strain_mode == "biaxial-ab"].groupby("strain").error_eV.first()
    assert error[0.04] == pytest.approx(4 * error[0.02], abs=2e-6)
    assert error[-0.02] == error[0.02] > 0


def test_error_is_what_was_measured_at_five_percent():
    measured = {
        "biaxial-ab": 0.059,
        "uniaxial-c*": 0.012,
        "hydrostatic": 0.082,
        "uniaxial-a": 0.032,
        "uniaxial-b": 0.016,
    }
    assert set(CURVATURE_ESTIMATE) == set(MODES) == set(measured)
    for mode, error in measured.items():
        assert curvature_error(mode, 0.05) == pytest.approx(error)
        assert curvature_error(mode, -0.1) == pytest.approx(4 * error)
    with pytest.raises(ValueError, match="use one of uniaxial-a"):
        curvature_error("none", 0.0)


def test_what_is_not_converged_or_without_stress_is_left_out(ran, spec, database):
    campaign = load_campaign(spec)
    ((_, table),) = vacancy_tables(database)
    assert len(predict_strains(campaign.predictions, database, table)) == 8
    table.loc[table.site == "O-8j-1", "converged"] = False
    assert set(predict_strains(campaign.predictions, database, table).site) == {"O-4i-1"}

    def bare(uid):
        record = database.get(uid)
        result = record.result.model_copy(update={"stress": None})
        return record.model_copy(update={"result": result})

    assert predict_strains(campaign.predictions, SimpleNamespace(get=bare), table).empty


def test_nothing_to_predict_is_said_and_leaves_no_old_numbers(ran, spec, database, tmp_path):
    campaign, reference = load_campaign(spec), OxygenReference()
    ((_, table),) = vacancy_tables(database)
    write_predictions(campaign.predictions, database, table, tmp_path, reference)
    assert len(pd.read_csv(tmp_path / "strain_predictions.csv")) == 8
    table["converged"] = False
    done = write_predictions(campaign.predictions, database, table, tmp_path, reference)
    assert "nothing could be predicted" in done.note
    assert pd.read_csv(tmp_path / "strain_predictions.csv").empty
    assert not list((tmp_path / "figures").iterdir())


def test_report_and_page_show_what_the_campaign_asked_to_predict(ran, database, tmp_path):
    tables = vacancy_tables(database)
    written = report_tables(database, tables, tmp_path / "out", "Predicted")
    again = pd.read_csv(tmp_path / "out" / "strain_predictions.csv")
    assert again.predicted_eV.tolist() == pytest.approx(ran.table.predicted_eV.tolist(), abs=2e-6)
    assert tmp_path / "out" / "figures" / "formation_energy_predicted.svg" in written
    for page in (tmp_path / "out" / "report.html", database.path.with_name("report.html")):
        assert "predicted from the elastic dipole" in page.read_text(encoding="utf-8")


def test_campaign_without_predictions_writes_none(finished):
    assert not (finished.directory / "strain_predictions.csv").exists()
    assert not list((finished.directory / "figures").glob("*predicted*"))
