"""The command line: what a user types, and what comes back."""

import io
import json
import subprocess
import sys
from importlib.metadata import version

import pandas as pd
import pytest
from pymatgen.core import Lattice, Structure

from vacancy_flows.analysis import VACANCY_COLUMNS, oxygen_thermal_term

HOST = {"name": "A", "structure": "Li2MnO3", "cell": "primitive"}
GOOD = {"name": "test", "engine": "chgnet", "hosts": [HOST]}


def host(**changes):
    return {"hosts": [HOST | changes]}


def strain(*values):
    return {"strain": {"mode": "biaxial-ab", "values": list(values)}}


def reference(**keys):
    return {"oxygen_reference": keys}


BAD = {
    # issue 2, "Bad input gets": what is written over GOOD, then parts of the one message
    "unknown key": ({"strian": {}}, ["strian: unknown key", "did you mean 'strain'?"]),
    "unknown key of a host": (host(supercel=[1, 1, 1]), ["hosts.0.supercel", "'supercell'"]),
    "unknown engine": ({"engine": "chgnett"}, ["engine: ", "did you mean 'chgnet'?"]),
    "no device": ({"settings": {"device": "gpu"}}, ["settings.device", "cuda:1"]),
    "unknown setting": ({"settings": {"devise": "cpu"}}, ["settings.devise", "'device'"]),
    "unknown host": (host(structure="Li2MnO4"), ["hosts.0.structure", "'Li2MnO3'"]),
    "no oxygen": (host(structure="metal.cif", cell=None), ["structure", "no oxygen"]),
    "unreadable structure": (host(structure="empty.cif", cell=None), ["empty.cif is empty"]),
    "zero supercell": (host(supercell=[0, 1, 1]), ["hosts.0.supercell", "at least 1"]),
    "negative supercell": (host(supercell=[-1, 1, 1]), ["hosts.0.supercell", "at least 1"]),
    "singular supercell": (
        host(supercell=[[1, 0, 0], [1, 0, 0], [0, 0, 1]]),
        ["hosts.0.supercell", "singular"],
    ),
    "absurd supercell": (host(supercell=[10, 10, 10]), ["supercell", "12000 atoms"]),
    "supercell of words": (host(supercell="big"), ["hosts.0.supercell", "three integers"]),
    "strain that is no number": (strain(float("nan")), ["strain.0", "0.05 means 5 %"]),
    "strain without end": (strain(float("inf")), ["strain.0", "0.05 means 5 %"]),
    "strain in per cent": (strain(0, 5), ["strain.0", "0.05 means 5 %"]),
    "strain below -20 %": (strain(-0.3), ["strain.0", "0.05 means 5 %"]),
    "strain beyond 20 % of one host": (
        host(strain={"mode": "hydrostatic", "values": [0.25]}),
        ["hosts.0.strain", "0.05 means 5 %"],
    ),
    "fraction of no whole Li": (
        host(delithiate={"fraction": 0.3}),
        ["hosts.0.delithiate.fraction", "0.25", "0.5"],
    ),
    "fraction above 1": (host(delithiate={"fraction": 25}), ["hosts.0.delithiate.fraction"]),
    "duplicate host names": (
        {"hosts": [HOST, HOST | {"supercell": [2, 1, 1]}]},
        ["hosts", "'A' is used twice"],
    ),
    "equal hosts": ({"hosts": [HOST, HOST | {"name": "B"}]}, ["'A' and 'B'", "same structure"]),
    "name with a slash": ({"name": "../x"}, ["name: ", "plain name"]),
    "name that is missing": ({"name": "NA"}, ["name: ", "plain name"]),
    "host name with a space": (host(name="a b"), ["hosts.0.name", "plain name"]),
    "name that is a number": ({"name": 12}, ["name: ", "not 12"]),
    "negative fmax": ({"relax": {"fmax": -0.01}}, ["relax.fmax", "greater than 0"]),
    "zero fmax": ({"relax": {"fmax": 0}}, ["relax.fmax"]),
    "no steps": ({"relax": {"max_steps": 0}}, ["relax.max_steps"]),
    "negative pressure": (reference(pressure=-1.0), ["oxygen_reference", "pressure"]),
    "temperature off the table": (reference(temperature=5000.0), ["oxygen_reference", "2000"]),
    "shift on a corrected scale": (reference(shift=0.68), ["oxygen_reference.shift", "mp2020"]),
    "user without mu_o": (reference(scheme="user"), ["oxygen_reference", "mu_o"]),
    "free cell with strain": (
        {"relax": {"cell": "free"}, **strain(0.02)},
        ["relax.cell", "undo the strain"],
    ),
    "unknown site": ({"sites": {"labels": ["O-8j-77"]}}, ["sites.labels", "O-8j-77"]),
    "another element": ({"sites": {"element": "Li"}}, ["sites", "only O"]),
    "no hosts": ({"hosts": []}, ["hosts"]),
    "no name": ({"name": None}, ["name: is required"]),
    "cell of a file": (host(structure="metal.cif"), ["hosts.0.cell", "built-in hosts only"]),
}


def without_none(content):
    return {key: value for key, value in content.items() if value is not None}


@pytest.fixture
def spec(tools, tmp_path):
    """Write a campaign beside a metal and an empty file."""
    metal = Structure.from_spacegroup("Im-3m", Lattice.cubic(3.51), ["Li"], [[0, 0, 0]])
    metal.to(filename=str(tmp_path / "metal.cif"))
    (tmp_path / "empty.cif").touch()

    def make(**changes):
        content = without_none(GOOD | changes)
        content["hosts"] = [without_none(entry) for entry in content["hosts"]]
        return tools.write(tmp_path / "campaign.yaml", content)

    return make


def refused(answer, *parts):
    """Status 2, one message, no traceback."""
    assert answer.status == 2, answer.err
    assert answer.out == ""
    assert "Traceback" not in answer.err
    assert answer.err.startswith("vacancy-flows: ")
    assert answer.err.count("vacancy-flows: ") == 1
    for part in parts:
        assert str(part) in answer.err


@pytest.mark.parametrize("name", ["run", "build"])
@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_told_once_before_anything_is_written(command, spec, tmp_path, case, name):
    change, parts = BAD[case]
    path = spec(**change)
    before = sorted(tmp_path.iterdir())
    option = "-d" if name == "run" else "-o"
    answer = command(name, path, option, tmp_path / "out" / "deep")
    refused(answer, path, *parts)
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (b"", "is empty"),
        (b"name: [", "not valid YAML"),
        (b"- a", "not a list"),
        (b"\xff\xfe\x00", "not UTF-8"),
    ],
)
def test_files_that_are_no_campaign(command, tmp_path, content, part):
    path = tmp_path / "x.yaml"
    path.write_bytes(content)
    refused(command("run", path, "-d", tmp_path / "out"), path, part)
    assert not (tmp_path / "out").exists()


def test_missing_files_and_folders_for_files(command, spec, tmp_path):
    refused(command("run", tmp_path / "no.yaml", "-d", tmp_path / "out"), "no.yaml", "cannot be")
    refused(command("run", tmp_path, "-d", tmp_path / "out"), "cannot be read")
    refused(command("query", tmp_path / "no.db"), "no.db", "no such results database")
    refused(command("repair", tmp_path / "nowhere"), "nowhere", "nothing to repair")
    assert not (tmp_path / "out").exists()


def test_a_file_where_the_directory_should_be(command, spec):
    path = spec()
    refused(command("run", path, "-d", path), path, "is a file, not a directory")


def test_garbage_for_a_database(command, tmp_path):
    path = tmp_path / "results.db"
    path.write_bytes(b"no database" * 100)
    refused(command("query", path), path, "is not a results database")


@pytest.mark.parametrize(
    "arguments",
    [
        ["rnu"],
        ["run"],
        ["run", "x.yaml"],
        ["run", "x.yaml", "-d", "out", "--workers", "0"],
        ["run", "x.yaml", "-d", "out", "--workers", "two"],
        ["run", "x.yaml", "-d", "out", "--wrokers", "2"],
        ["query", "x.db", "--format", "xml"],
        ["query", "x.db", "--oxygen-scheme", "O3"],
        ["query", "x.db", "--mu-o", "low"],
    ],
    ids=" ".join,
)
def test_options_that_are_not_understood(command, tmp_path, arguments):
    answer = command(*arguments)
    assert answer.status == 2
    assert "Error: " in answer.err
    assert "Traceback" not in answer.err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], ["run", "-h"], ["query", "--help"]])
def test_help(command, arguments):
    answer = command(*arguments)
    assert answer.status == 0
    assert answer.out.startswith("Usage: ")


def test_help_lists_the_commands(command):
    for name in ("build", "run", "query", "repair"):
        assert f"  {name} " in command("--help").out


def test_version(command):
    answer = command("--version")
    assert answer.status == 0
    assert version("vacancy-flows") in answer.out


@pytest.mark.parametrize(
    "code",
    [
        "import vacancy_flows",
        "from vacancy_flows.cli import cli; cli(['--help'], standalone_mode=False)",
    ],
    ids=["import", "help"],
)
def test_what_starts_quickly_imports_little(code, tools):
    heavy = "[m for m in ('torch', 'matplotlib', 'atomate2.vasp', 'chgnet') if m in sys.modules]"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print('heavy:', {heavy})"],
        capture_output=True,
        text=True,
        check=True,
        env=tools.environment(),
    )
    assert done.stdout.splitlines()[-1] == "heavy: []"


@pytest.fixture
def query(command, finished):
    def ask(*arguments):
        return command("query", finished.directory / "results.db", *arguments)

    return ask


def as_table(answer):
    assert answer.status == 0, answer.err
    return pd.read_csv(io.StringIO(answer.out), keep_default_na=False, na_values=[""])


def test_query_as_csv_has_the_contracts_columns(query, finished):
    table = as_table(query("--format", "csv"))
    assert list(table.columns[: len(VACANCY_COLUMNS)]) == list(VACANCY_COLUMNS)
    written = pd.read_csv(finished.directory / "vacancies.csv").set_index("uid")
    ours = table.set_index("uid").loc[written.index]
    assert ours.formation_energy_eV.tolist() == written.formation_energy_eV.tolist()


def test_query_as_json(query):
    content = json.loads(query("host=D", "--format", "json").out)
    assert len(content["rows"]) == 2
    assert {row["host"] for row in content["rows"]} == {"D"}
    assert content["rows"][0]["strain"] == 0
    assert content["reference"] == [
        "oxygen reference (mp2020): O2 (½E(O2), no shift), no thermal term"
    ]


def test_query_as_a_table_for_people(query):
    answer = query("site=O-8j-1")
    lines = answer.out.splitlines()
    assert lines[0].startswith("oxygen reference (mp2020): O2")
    assert "formation_energy_eV" in lines[1]
    assert len(lines) == 2 + 3


def test_derived_columns_can_be_selected(query):
    everything = as_table(query("--format", "csv"))
    low = as_table(query("formation_energy_eV<2", "--format", "csv"))
    assert set(low.uid) == set(everything[everything.formation_energy_eV < 2].uid)
    assert 0 < len(low) < len(everything)
    both = as_table(query("formation_energy_eV>2.6,strain>0.01,host=P", "--format", "csv"))
    assert both.site.tolist() == ["O-4i-1"]


@pytest.mark.parametrize("style", ["csv", "json", "table"])
def test_an_empty_selection_is_no_error(query, style):
    answer = query("host=nobody", "--format", style)
    assert answer.status == 0
    if style == "csv":
        assert answer.out.splitlines() == [answer.out.strip()]  # the header alone
        assert answer.out.startswith("uid,host,formula,")
    elif style == "json":
        assert json.loads(answer.out)["rows"] == []
    else:
        assert "no rows" in answer.out


def test_calculations_of_other_kinds_as_stored(query):
    table = as_table(query("kind=reference", "--format", "csv")).set_index("reference_kind")
    assert table.energy_eV.to_dict() == pytest.approx(
        {"O2": -9.637, "Li": -1.880, "Li2O": -14.781}, abs=0.002
    )
    candidates = as_table(query("kind=candidate,ordering=0", "--format", "csv"))
    assert candidates.ordering_energy_eV.tolist() == [0.0]


@pytest.mark.parametrize(
    ("selection", "part"),
    [
        ("strian>0", "did you mean 'strain'?"),
        ("strain=much", "strain is a number"),
        ("kind=pristin", "did you mean 'pristine'?"),
        ("kind=pristine,formation_energy_eV<2", "unknown column 'formation_energy_eV'"),
        ("strain>>0", "not understood"),
        ("'; DROP TABLE systems", "not understood"),
    ],
)
def test_selections_that_are_not_understood(query, selection, part):
    refused(query(selection), "selection", part)


def energies(answer):
    return as_table(answer).set_index("uid").formation_energy_eV


def test_the_thermal_term_lowers_every_formation_energy(query):
    cold = energies(query("--format", "csv"))
    warm = energies(query("--temperature", "300", "--format", "csv"))
    assert (warm - cold).to_numpy() == pytest.approx(-0.319, abs=1e-3)
    air = query("--temperature", "300", "--pressure", "0.21", "--format", "csv")
    assert (energies(air) - cold).to_numpy() == pytest.approx(-0.339, abs=1e-3)
    assert set(as_table(air).pressure_bar) == {0.21}
    assert oxygen_thermal_term(300, 1.0, "298K") == pytest.approx(-0.319, abs=1e-3)


def test_the_li2o_route(query):
    shift = energies(query("--oxygen-scheme", "Li2O", "--format", "csv")) - energies(
        query("--format", "csv")
    )
    assert shift.to_numpy() == pytest.approx(-0.005, abs=0.003)


def test_own_mu_o_takes_no_thermal_term(query):
    answer = query("--mu-o", "-5", "--temperature", "300", "--format", "csv")
    table = as_table(answer)
    assert set(table.mu_o_eV) == {-5.0}
    assert set(table.oxygen_scheme) == {"user"}
    assert set(table.temperature_K) == {300.0}
    parts = table.e_vacancy_eV - table.e_pristine_eV - 5
    assert table.formation_energy_eV.to_numpy() == pytest.approx(parts.to_numpy(), abs=3e-6)


@pytest.mark.parametrize(
    ("options", "part"),
    [
        (["--mu-o", "-5", "--oxygen-scheme", "O2"], "leave out O2"),
        (["--oxygen-scheme", "user"], "needs mu_o"),
        (["--mu-o", "nan"], "--mu-o"),
        (["--temperature", "-3"], "temperature"),
        (["--temperature", "50"], "100"),
        (["--temperature", "nan"], "temperature"),
        (["--pressure", "0"], "pressure"),
        (["--pressure", "-1"], "pressure"),
        (["--temperature", "300", "--pressure", "inf"], "pressure"),
    ],
    ids=" ".join,
)
def test_references_that_contradict_themselves(query, options, part):
    refused(query(*options), part)


def test_repair_says_what_it_did(command, copy):
    answer = command("repair", copy.directory)
    assert answer.status == 0
    assert "16 calculations rebuilt" in answer.out


def test_the_installed_command_reads_what_a_run_wrote(tools, finished):
    """Through the shell, once: standard output holds the rows and nothing else."""
    done = subprocess.run(
        [*tools.executable(), "query", str(finished.directory / "results.db"), "--format", "csv"],
        capture_output=True,
        text=True,
        check=True,
        env=tools.environment(),
    )
    assert len(done.stdout.splitlines()) == 7
    assert done.stderr == ""


def test_a_pipe_that_closes_early_is_no_error(tools, finished):
    line = " ".join(map(str, [*tools.executable(), "query", finished.directory / "results.db"]))
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", f"{line} | head -c 1 > /dev/null"],
        capture_output=True,
        text=True,
        check=False,
        env=tools.environment(),
    )
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr
