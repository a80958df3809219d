"""The example campaign against the numbers of science.md, section 4."""

import json

import pytest
from pymatgen.core import Composition

from vacancy_flows.database import ResultsDatabase

CONTRACT = [
    "uid",
    "host",
    "formula",
    "engine",
    "energy_scale",
    "strain_mode",
    "strain",
    "site",
    "wyckoff",
    "multiplicity",
    "coordination",
    "n_atoms",
    "e_pristine_eV",
    "e_vacancy_eV",
    "mu_o_eV",
    "oxygen_scheme",
    "temperature_K",
    "pressure_bar",
    "formation_energy_eV",
    "converged",
]
MORE = {"ordering", "ordering_energy_eV", "removed_element", "max_force_eV_A", "reason"}


@pytest.fixture(scope="module")
def table(example_run):
    return example_run.table


@pytest.fixture(scope="module")
def calculations(example_run):
    return list(ResultsDatabase(example_run.directory / "results.db").records())


def formation(table, host, site, strain):
    rows = table[(table.host == host) & (table.site == site) & (table.strain == strain)]
    return rows.formation_energy_eV.item()


def test_columns_are_the_contracts_in_its_order(table):
    assert list(table.columns[: len(CONTRACT)]) == CONTRACT
    assert set(table.columns) >= MORE


def test_every_vacancy_is_there_and_converged_below_fmax(table):
    assert len(table) == 12
    assert table.uid.is_unique
    assert table.converged.tolist() == [True] * 12
    assert (table.max_force_eV_A < 0.01).all()


def test_every_calculation_ends_below_fmax(calculations):
    assert len(calculations) == 33
    for record in calculations:
        assert record.result.converged, record.calculation.title
        assert record.result.max_force <= 0.01, record.calculation.title


def test_the_relaxed_cell(calculations):
    host = next(r for r in calculations if r.calculation.kind == "host")
    lattice = host.structure.lattice
    assert lattice.abc == pytest.approx((5.003, 8.644, 5.099), abs=0.01)
    assert lattice.beta == pytest.approx(109.50, abs=0.2)


def test_formation_energies_of_both_sites(table):
    low = formation(table, "Li2MnO3", "O-8j-1", 0.0)
    assert low == pytest.approx(2.51, abs=0.03)
    assert formation(table, "Li2MnO3", "O-4i-1", 0.0) - low == pytest.approx(0.18, abs=0.02)


def test_formation_energy_is_the_sum_of_its_parts(table):
    parts = table.e_vacancy_eV - table.e_pristine_eV + table.mu_o_eV
    assert table.formation_energy_eV.to_numpy() == pytest.approx(parts.to_numpy(), abs=3e-6)
    assert table.mu_o_eV.to_numpy() == pytest.approx(-4.819, abs=0.01)


def test_it_falls_with_strain_at_every_site(table):
    curves = table.sort_values("strain").groupby(["host", "site"]).formation_energy_eV
    assert len(curves) == 4
    for name, curve in curves:
        assert len(curve) == 3, name
        assert curve.is_monotonic_decreasing, name
        assert curve.iloc[0] - curve.iloc[-1] > 0.1, name


def test_delithiated_lies_below_lithiated_at_every_strain_and_site(table):
    wide = table.pivot_table("formation_energy_eV", ["site", "strain"], "host")
    assert len(wide) == 6
    assert (wide["Li1.5MnO3"] < wide["Li2MnO3"] - 0.5).all()


def test_labels_of_a_row(table):
    row = table[(table.host == "Li1.5MnO3") & (table.site == "O-8j-1")].iloc[0]
    assert row.wyckoff == "8j"
    assert row.multiplicity == 8
    assert row.n_atoms == 22  # of the pristine cell
    assert Composition(row.formula) == Composition("Li6Mn4O11")
    assert row.removed_element == "O"
    assert row.ordering == 0
    assert row.ordering_energy_eV == 0
    assert table[table.host == "Li2MnO3"].ordering.isna().all()


def test_the_unstrained_row_has_no_mode(table):
    assert set(table[table.strain == 0].strain_mode) == {"none"}
    assert set(table[table.strain > 0].strain_mode) == {"biaxial-ab"}


def test_hosts_stand_in_the_order_of_the_campaign_file(table):
    assert table.host.unique().tolist() == ["Li2MnO3", "Li1.5MnO3"]


def test_which_li_leaves_first(calculations):
    found = {}
    for record in calculations:
        if record.calculation.kind == "candidate":
            sites = "+".join(s.split("-")[1] for s in record.calculation.operation["remove"])
            found.setdefault(sites, []).append(record.result.energy)
    assert sum(map(len, found.values())) == 11
    lowest = found.pop("2c+2c")[0]
    assert all(energy > lowest for energies in found.values() for energy in energies)
    assert min(found["4h+4h"]) - lowest == pytest.approx(0.025, abs=0.01)
    for sites, energies in found.items():
        if "2b" in sites:
            assert min(energies) - lowest > 0.075, sites


def test_rank_and_energy_of_every_ordering_are_stored(example_run):
    database = ResultsDatabase(example_run.directory / "results.db")
    rows = database.table()
    rows = rows[rows.kind == "candidate"].sort_values("ordering")
    assert rows.ordering.tolist() == list(range(11))
    assert rows.ordering_energy_eV.iloc[0] == 0
    assert rows.ordering_energy_eV.is_monotonic_increasing


def test_strain_is_on_the_engines_own_cell(calculations):
    host = next(r for r in calculations if r.calculation.kind == "host").structure.lattice
    strained = next(
        r.structure.lattice
        for r in calculations
        if r.calculation.kind == "pristine"
        and r.calculation.host == "Li2MnO3"
        and r.calculation.strain == 0.04
    )
    assert strained.a / host.a == pytest.approx(1.04, abs=1e-6)
    assert strained.b / host.b == pytest.approx(1.04, abs=1e-6)
    # biaxial strain is clamped: the height over the plane of a and b stays
    assert strained.volume / host.volume == pytest.approx(1.04**2, abs=1e-6)


def test_files(example_run):
    names = [
        "results.db",
        "vacancies.csv",
        "figures/formation_energy_strain.png",
        "figures/formation_energy_strain.svg",
    ]
    for name in names:
        assert (example_run.directory / name).stat().st_size > 1000, name
    assert not list(example_run.directory.glob("*.part"))
    assert not list(example_run.directory.glob("*.lock"))  # ASE's, which would outlive a kill


def test_summary_says_what_the_numbers_are(example_run):
    for words in ("chgnet", "mp2020", "½E(O2)", "-4.819", "22 (Li1.5MnO3)", "neutral", "0.7 eV"):
        assert words in example_run.out


def test_progress_says_what_and_how_many(example_run):
    assert "[33/33]" in example_run.err
    assert "candidate Li1.5MnO3 without Li-2c-1 Li-2c-2" in example_run.err
    assert " left" in example_run.err
    assert "33 calculated" in example_run.err


def test_second_start_calculates_nothing(example_run, tools):
    before, csv = (
        tools.stored(example_run.directory),
        (example_run.directory / "vacancies.csv").read_text(),
    )
    again = tools.run_to_end(tools.root / "examples/li2mno3_tensile.yaml", example_run.directory)
    assert again.returncode == 0
    assert "0 calculated, 33 were there" in again.stderr
    assert tools.stored(example_run.directory) == before
    assert (example_run.directory / "vacancies.csv").read_text() == csv


def test_query_gives_the_same_numbers(example_run, command):
    answer = command(
        "query",
        example_run.directory / "results.db",
        "host=Li2MnO3,strain>0.02",
        "--format",
        "json",
    )
    rows = json.loads(answer.out)["rows"]
    wanted = example_run.table[
        (example_run.table.host == "Li2MnO3") & (example_run.table.strain > 0.02)
    ]
    assert {row["uid"]: row["formation_energy_eV"] for row in rows} == pytest.approx(
        dict(zip(wanted.uid, wanted.formation_energy_eV, strict=True)), abs=2e-6
    )
