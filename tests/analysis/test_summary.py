"""What the printed summary must name."""

import subprocess
import sys

import pytest

from vacancy_flows.analysis import OxygenReference, formation_table, summarise


def test_summary_names_what_the_numbers_stand_on(table):
    text = summarise(table, OxygenReference())
    for part in (
        "chgnet",
        "mp2020",
        "O2 (½E(O2), no shift), no thermal term",
        "-4.819 eV per O atom",
        "24 (Li2MnO3), 22 (Li1.5MnO3)",
        "23 converged, 1 not converged",
        "neutral",
        "0.7 eV",
        "delithiated",
        "1/N",
    ):
        assert part in text
    assert max(map(len, text.splitlines())) <= 100


def test_unconverged_rows_are_named_and_stay_out_of_the_range(table):
    bad = table[~table["converged"]].iloc[0]
    table.loc[bad.name, "formation_energy_eV"] = -9.99
    lines = summarise(table, OxygenReference()).splitlines()
    named = [line for line in lines if bad["uid"] in line]
    assert len(named) == 1
    for part in ("Li2MnO3", "O-4i-1", "biaxial-ab 4 %", "stopped at 500 steps"):
        assert part in named[0]
    assert any("-9.99*" in line for line in lines)
    assert "Li2MnO3: E_f 2.29 to 2.69 eV" in lines


def test_unstrained_value_opens_every_mode(table):
    rows = [line.split() for line in summarise(table, OxygenReference()).splitlines()]
    values = {tuple(row[:3]): row[3:] for row in rows if row and row[0] == "Li2MnO3"}
    assert values["Li2MnO3", "biaxial-ab", "O-8j-1"] == ["2.51", "2.39", "2.29"]
    assert values["Li2MnO3", "uniaxial-c*", "O-8j-1"] == ["2.51", "-", "2.45"]


def test_caveat_belongs_to_the_engine(campaign):
    campaign["engine"], campaign["energy_scale"] = "chgnet-r2scan", "r2scan"
    assert "0.1-0.3 eV" in summarise(
        formation_table(campaign, OxygenReference()), OxygenReference()
    )
    campaign["engine"], campaign["energy_scale"] = "vasp", "pbe+u"
    reference = OxygenReference("user", mu_o=-4.9)
    text = summarise(formation_table(campaign, reference), reference)
    assert "machine-learned" not in text
    assert "user (mu_O = -4.900 eV as given" in text


def test_engines_are_told_apart(campaign):
    reference = OxygenReference("user", mu_o=-4.9)
    second = campaign["host"] == "Li1.5MnO3"
    campaign.loc[second, ["engine", "energy_scale"]] = ["vasp", "pbe+u"]
    text = summarise(formation_table(campaign, reference), reference)
    assert text.index("engine            chgnet") < text.index("engine            vasp")


def test_another_reference_than_the_table_s_is_refused(table):
    with pytest.raises(ValueError, match=r"temperature_K 0.0, not 300.0"):
        summarise(table, OxygenReference(temperature=300.0))


def test_rows_without_e_f_and_empty_tables(table):
    table["formation_energy_eV"] = float("nan")
    assert "24 without E_f" in summarise(table, OxygenReference())
    assert "No vacancies" in summarise(table.head(0), OxygenReference())


def test_import_stays_light():
    code = (
        "import sys, vacancy_flows.analysis; "
        "sys.exit(str({'matplotlib', 'torch', 'atomate2', 'jobflow'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.strip() == "set()"
