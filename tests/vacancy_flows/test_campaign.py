"""The campaign file: what is understood, and one message with file, key and remedy for the rest."""

import os

import pytest

from vacancy_flows.campaign_file import load_campaign
from vacancy_flows.errors import InputError
from vacancy_flows.planning import plan_hosts


def strained(*values, mode="biaxial-ab"):
    return {"mode": mode, "values": list(values)}


BAD_KEYS = [
    # what is written over a good campaign, key in the message, remedy in the message
    ({"strian": {}}, "strian", "did you mean 'strain'?"),
    ({"relax": {"fmx": 0.01}}, "relax.fmx", "did you mean 'fmax'?"),
    ({"host": {"supercel": [1, 1, 1]}}, "hosts.0.supercel", "did you mean 'supercell'?"),
    ({"host": {"delithiate": {"fraction": 0.25, "form": "built"}}}, "delithiate.form", "'from'"),
    ({"strain": {**strained(0.0), "vals": []}}, "strain.0.vals", "did you mean 'values'?"),
    ({"settings": {"devise": "cpu"}}, "settings.devise", "did you mean 'device'?"),
    ({"engine": "chgnt"}, "engine", "did you mean 'chgnet'?"),
    ({"engine": "lammps"}, "engine", "known: chgnet, chgnet-r2scan"),
    ({"engine": None}, "engine", "is required: add it"),
    ({"name": None}, "name", "is required: add it"),
    ({"hosts": []}, "hosts", "give at least one"),
    ({"strain": strained(float("nan"))}, "strain.0", "0.05 means 5 %"),
    ({"strain": strained(float("inf"))}, "strain.0", "0.05 means 5 %"),
    ({"strain": strained(5)}, "strain.0", "0.05 means 5 %"),
    ({"strain": strained(-0.21)}, "strain.0", "0.05 means 5 %"),
    ({"strain": strained(True)}, "strain.0.values.0", "must be a number"),
    ({"strain": strained("2 %")}, "strain.0.values.0", "without quotes or unit"),
    ({"strain": {"mode": "biaxial-ab", "values": 0.02}}, "strain.0.values", "must be a list"),
    ({"hosts": ["Li2MnO3"]}, "hosts.0", "must hold keys and values, not 'Li2MnO3'"),
    ({"host": {"structure": ""}}, "hosts.0.structure", "the path of a file"),
    ({"host": {"structure": 5}}, "hosts.0.structure", "the path of a file"),
    ({"strain": strained(0.02, 0.02)}, "strain.0", "leave one out"),
    ({"strain": strained(0.02, 0.02 + 1e-12)}, "strain.0", "leave one out"),
    ({"strain": strained(0.0, mode="biaxial")}, "strain.0.mode", "did you mean 'biaxial-ab'?"),
    ({"strain": strained(0.0, mode="none")}, "strain.0.mode", "known: biaxial-ab, hydrostatic"),
    ({"host": {"supercell": [0, 1, 1]}}, "hosts.0.supercell", "at least 1"),
    ({"host": {"supercell": [1.5, 1, 1]}}, "hosts.0.supercell", "three integers"),
    ({"host": {"supercell": "big"}}, "hosts.0.supercell", "three integers"),
    (
        {"host": {"supercell": [[1, 0, 0], [2, 0, 0], [0, 0, 1]]}},
        "hosts.0.supercell",
        "singular",
    ),
    ({"relax": {"fmax": -0.01}}, "relax.fmax", "greater than 0"),
    ({"relax": {"max_steps": 0}}, "relax.max_steps", "greater than or equal to 1"),
    ({"relax": {"cell": "free"}, "strain": strained(0.02)}, "relax.cell", "cell: fixed"),
    ({"oxygen_reference": {"pressure": -1.0}}, "oxygen_reference", "above zero"),
    ({"oxygen_reference": {"scheme": "user"}}, "oxygen_reference", "needs mu_o"),
    ({"oxygen_reference": {"scheme": "O3"}}, "oxygen_reference.scheme", "known: Li2O, O2, user"),
    ({"oxygen_reference": {"shift": 0.68}}, "oxygen_reference.shift", "leave `shift` out"),
    *(
        ({"oxygen_reference": {"li2o_enthalpy": value}}, "oxygen_reference.li2o_enthalpy", remedy)
        for value, remedy in ((6.2, "negative"), (-598.0, "in eV"), (-3.1, "leave it out"))
    ),
    ({"sites": {"element": "Li"}}, "sites", "only O vacancies"),
    ({"host": {"delithiate": {"fraction": 0}}}, "delithiate.fraction", "greater than 0"),
    ({"host": {"delithiate": {"fraction": 2}}}, "delithiate.fraction", "less than or equal to 1"),
    (
        {"host": {"delithiate": {"fraction": 0.5, "keep": 3, "candidates": 2}}},
        "hosts.0.delithiate",
        "raise candidates",
    ),
    ({"host": {"structure": {"boundary": {}}}}, "hosts.0", "known: tilt_109"),
    ({"host": {"structure": {"boundary": "tilt109"}}}, "hosts.0", "did you mean 'tilt_109'"),
    ({"host": {"structure": {"thickness": 9.0}}}, "hosts.0", "give one of boundary, twin,"),
    (
        {"host": {"structure": {"boundary": "twin_104", "twin": [1, 0, 4]}}},
        "hosts.0",
        "it has boundary and twin",
    ),
    ({"host": {"structure": {"twin": [1, 0]}}}, "hosts.0", "structure.twin: give three integers"),
    (
        {"host": {"structure": {"composition": "Li2MnO3", "cells": [1, 0.5, 1]}}},
        "hosts.0",
        "structure.cells: give three integers",
    ),
    (
        {"host": {"structure": {"bicrystal": {"axis": [-1, 0, 0], "project": [-1, 0, 0]}}}},
        "hosts.0",
        "structure.bicrystal: project and axis are the same",
    ),
    (
        {"host": {"structure": {"bicrystal": {"axis": [-1, 0, 0], "up": [0, 0, 1]}}}},
        "hosts.0",
        "structure.bicrystal.top_angle: is required",
    ),
    (
        {"host": {"structure": {"boundary": "twin_104", "depth": 2}}},
        "hosts.0",
        "structure.depth: unknown key; known here are candidate, boundary, thickness",
    ),
    ({"sites": {"within": 3.0}}, "sites.within", "has no boundary"),
    ({"relax": {"free_within": 3.0}}, "relax.free_within", "has no boundary"),
    ({"sites": {"boundary": 1}}, "sites", "within which distance"),
]


@pytest.mark.parametrize(("change", "key", "remedy"), BAD_KEYS)
def test_message_names_file_key_and_remedy(campaign_file, change, key, remedy):
    change = dict(change)
    path = campaign_file(change.pop("host", None), **change)
    with pytest.raises(InputError) as caught:
        load_campaign(path)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert f"{key}: " in message
    assert remedy in message


FILES = [
    ("", "is empty"),
    ("# only a comment\n", "is empty"),
    ("- a\n- b\n", "not a list"),
    ("hello\n", "only 'hello'"),
    (b"\xff\xfe\x00n", "not UTF-8"),
    (b"\x00\x01\x02", "not valid YAML"),
    ("name: [\n", "not valid YAML"),
    ("name: a\nname: b\n", "duplicate key"),
    ("name: !!python/object:os.system x\n", "not valid YAML"),
    ("name: 2020-13-45\n", "not valid YAML"),
    (f"relax: {{max_steps: {'9' * 5000}}}\n", "not valid YAML"),
    ("a: 1\n---\nb: 2\n", "single document"),
    ("1: 2\n", "keys should be strings"),
    ("name: &a [*a]\n", "must be text"),
    ("#" * 1_000_001, "larger than 1 MB"),
]


@pytest.mark.parametrize(("text", "problem"), FILES, ids=[problem for _, problem in FILES])
def test_file_that_is_no_campaign(campaign_file, text, problem):
    path = campaign_file(text=text)
    with pytest.raises(InputError, match=problem) as caught:
        load_campaign(path)
    assert str(caught.value).startswith(str(path))


def test_file_that_cannot_be_read(tmp_path):
    with pytest.raises(InputError, match=r"missing\.yaml: cannot be read .*: check the path"):
        load_campaign(tmp_path / "missing.yaml")
    with pytest.raises(InputError, match="cannot be read"):
        load_campaign(tmp_path)


def test_file_without_end_is_not_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")  # nobody writes into it: opening it would wait for ever
    with (tmp_path / "sparse.yaml").open("wb") as file:
        file.truncate(10**12)
    for path in ("/dev/zero", tmp_path / "pipe"):
        with pytest.raises(InputError, match=r"cannot be read .*regular file.*: check the path"):
            load_campaign(path)
    with pytest.raises(InputError, match="larger than 1 MB"):
        load_campaign(tmp_path / "sparse.yaml")


@pytest.mark.parametrize("key", ["name: *x7", "hosts: [{name: A, structure: a, supercell: *x7}]"])
def test_aliases_that_multiply_are_not_written_out(campaign_file, key):
    """Ten times ten times ...: 10^8 items as text."""
    lists = [f"x{i}: &x{i} [{', '.join([f'*x{i - 1}'] * 10)}]" for i in range(1, 8)]
    lines = ["x0: &x0 [1, 2, 3, 4, 5, 6, 7, 8, 9, 0]", *lists, key, "engine: chgnet"]
    with pytest.raises(InputError) as caught:
        load_campaign(campaign_file(text="\n".join(lines)))
    assert key.split(":")[0] in str(caught.value)
    assert len(str(caught.value)) < 3000


def test_measured_enthalpies_of_li2o_are_taken(load):
    for value in (-6.1972, -6.2054, -5.9):
        load(oxygen_reference={"li2o_enthalpy": value})


@pytest.mark.parametrize(
    "name",
    [
        *("NA", "nan", "None", "null", "true", "inf", "1e5", "2"),
        *("y", "N", "yes", "No", "on", "OFF"),  # booleans in YAML 1.1
        *("a/b", "..", "a; touch x", "", " a", "a\n", "Ä", "a" * 81, "-rf"),
    ],
)
@pytest.mark.parametrize("where", ["name", "hosts.0.name"])
def test_name_that_is_no_plain_file_name(load, name, where):
    keys = {"name": name} if where == "name" else {"host": {"name": name}}
    with pytest.raises(InputError, match=f"{where}: .*is not a plain name: begin with a letter"):
        load(**keys)


@pytest.mark.parametrize("name", ["a", "Li1.5MnO3", "run-2_b+c", "a" * 80, "nano"])
def test_plain_name(load, name):
    assert load(name=name).name == name


def test_number_for_a_name_is_told_as_one(load):
    with pytest.raises(InputError, match="name: must be text, not 100000"):
        load(text="name: 1e5\nengine: chgnet\nhosts: [{name: A, structure: Li2MnO3}]\n")


@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
def test_unicode_and_a_byte_order_mark_are_read(load, bom):
    text = "# Übergang\nname: x\nengine: chgnet\nhosts: [{name: A, structure: Ω.cif}]\n".encode()
    assert load(text=bom + text).hosts[0].structure == "Ω.cif"


def test_two_hosts_of_one_name(load):
    hosts = [{"name": "A", "structure": "Li2MnO3"}, {"name": "A", "structure": "b.cif"}]
    with pytest.raises(InputError, match="hosts: the name 'A' is used twice: rename one"):
        load(hosts=hosts)


def test_two_hosts_whose_names_differ_in_case_only(load):
    """Their folders would be one on some file systems."""
    hosts = [{"name": name, "structure": "Li2MnO3"} for name in ("LMO", "lmo")]
    with pytest.raises(InputError, match="hosts: 'LMO' and 'lmo' differ in case only"):
        load(hosts=hosts)


@pytest.mark.parametrize("delithiate", [{}, {"delithiate": {"fraction": 0.25}}])
def test_two_hosts_that_are_the_same_structure(load, engine, delithiate):
    hosts = [{"name": name, "structure": "Li2MnO3", **delithiate} for name in ("A", "B")]
    with pytest.raises(InputError, match=r"hosts\.1: hosts 'A' and 'B' are the same structure"):
        plan_hosts(load(hosts=hosts), engine)


def test_fractions_that_take_the_same_lithium_are_the_same_structure(load, engine):
    hosts = [
        {
            "name": name,
            "structure": "Li2MnO3",
            "delithiate": {"fraction": value, "from": "relaxed"},
        }
        for name, value in (("A", 0.25), ("B", 0.2501))
    ]
    with pytest.raises(InputError, match="the same structure"):
        plan_hosts(load(hosts=hosts), engine)


@pytest.mark.parametrize(
    ("fraction", "near"),
    [(0.3, "0.25 (2 of 8) and 0.375 (3 of 8)"), (0.001, "0.125 (1 of 8)")],
)
def test_fraction_that_is_no_whole_lithium_names_the_nearest(load, engine, fraction, near):
    with pytest.raises(InputError) as caught:
        plan_hosts(load({"delithiate": {"fraction": fraction}}), engine)
    assert "hosts.0.delithiate.fraction: " in str(caught.value)
    assert near in str(caught.value)


@pytest.mark.parametrize("start", ["built", "relaxed"])
def test_too_many_orderings_are_told_before_anything_runs(load, engine, start):
    host = {"supercell": [2, 2, 2], "delithiate": {"fraction": 0.5, "from": start}}
    with pytest.raises(InputError, match=r"hosts\.0\.delithiate: .*Use a smaller supercell"):
        plan_hosts(load(host), engine)


def test_site_that_does_not_exist(load, engine):
    with pytest.raises(InputError, match=r"sites\.labels: .*nearest known: O-8j-8"):
        plan_hosts(load(sites={"labels": ["O-8j-9"]}), engine)


def test_own_mu_o_takes_no_shift_and_no_guard(load):
    reference = {"scheme": "user", "mu_o": -5.1}
    assert load(oxygen_reference=reference).oxygen_reference.mu_o == -5.1


def test_zero_strain_of_several_blocks_is_one_cell(load):
    campaign = load(strain=[strained(0.0, 0.02), strained(-0.0, 0.01, mode="uniaxial-c*")])
    expected = [("none", 0.0), ("biaxial-ab", 0.02), ("uniaxial-c*", 0.01)]
    assert campaign.strains_of(campaign.hosts[0]) == expected


def test_strain_below_what_a_uid_sees_is_no_strain(load):
    campaign = load(strain=strained(1e-12))
    assert campaign.strains_of(campaign.hosts[0]) == [("none", 0.0)]


def test_own_keys_of_a_host_go_over_the_common_ones(load):
    host = {"relax": {"fmax": 0.05}, "strain": strained(0.01), "sites": {"labels": ["O-4i-1"]}}
    campaign = load(host, relax={"fmax": 0.02, "max_steps": 7}, strain=strained(0.04))
    (own,) = campaign.hosts
    assert (campaign.relax_of(own).fmax, campaign.relax_of(own).max_steps) == (0.05, 7)
    assert campaign.strains_of(own) == [("biaxial-ab", 0.01)]
    assert campaign.sites_of(own).labels == ["O-4i-1"]


def test_without_strain_the_unstrained_cell_alone(load):
    campaign = load()
    assert campaign.strains_of(campaign.hosts[0]) == [("none", 0.0)]


@pytest.mark.parametrize("value", ["!!float ''", "!!int ''", "!!bool maybe"])
def test_yaml_tags_that_do_not_fit_are_bad_input(tmp_path, value):
    path = tmp_path / "tagged.yaml"
    path.write_text(f"name: {value}\nengine: chgnet\n", encoding="utf-8")
    with pytest.raises(InputError, match="is not valid YAML"):
        load_campaign(path)
