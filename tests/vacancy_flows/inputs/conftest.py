"""Campaigns run by hand: `build --inputs`, the stand-in for VASP in each folder, and again."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from pymatgen.core import SETTINGS

from vacancy_flows.campaign_file import load_campaign
from vacancy_flows.engines import get_engine
from vacancy_flows.inputs import write_inputs

sys.path.insert(0, str(Path(__file__).parents[2]))  # the stand-in is a package below tests/

HOST = {"name": "P", "structure": "Li2MnO3", "cell": "primitive"}
SPEC = {"name": "hand", "engine": "vasp", "settings": {"bader": False}}
SPEC |= {"relax": {"fmax": 0.03, "max_steps": 60}}
SPEC |= {"hosts": [HOST], "strain": {"mode": "biaxial-ab", "values": [0.0, 0.02]}}
USER = {"oxygen_reference": {"scheme": "user", "mu_o": -5.0}}


def pytest_collection_modifyitems(items):
    """Silence what pymatgen says of synthetic POTCARs."""
    for item in items:
        if Path(__file__).parent in Path(item.path).parents:
            item.add_marker(pytest.mark.filterwarnings("ignore:POTCAR data"))


@pytest.fixture(scope="session")
def standin(tmp_path_factory):
    from standin_vasp.install import prepare

    return prepare(tmp_path_factory.mktemp("standin"))


@pytest.fixture(autouse=True)
def potcars(standin, monkeypatch):
    point_at(standin, monkeypatch)


def point_at(standin, monkeypatch):
    from standin_vasp.install import remember_potcars

    monkeypatch.setenv("PMG_VASP_PSP_DIR", str(standin.potcars))
    monkeypatch.setitem(SETTINGS, "PMG_VASP_PSP_DIR", str(standin.potcars))
    monkeypatch.delitem(SETTINGS, "PMG_VASP_PSP_SUB_DIRS", raising=False)
    remember_potcars(monkeypatch)


@pytest.fixture(scope="session")
def vasp(standin):
    """Run the stand-in in every folder that has not run; which they were."""

    def go(directory, fault=None):
        standin.fail(*([fault] if fault else []))
        done = []
        for path in sorted(directory.rglob("INCAR")):
            folder = path.parent
            if (folder / "vasprun.xml").exists():
                continue
            environment = {**os.environ, **standin.environment}
            command = [standin.executable]
            subprocess.run(
                command, cwd=folder, env=environment, capture_output=True, timeout=60, check=False
            )
            done.append(str(folder.relative_to(directory)))
        return done

    return go


@pytest.fixture
def build(tmp_path, tools):
    """Write the inputs of a campaign with some keys changed, into a folder of this test."""

    def go(directory="out", source=None, **changes):
        spec = tools.write(tmp_path / "campaign.yaml", SPEC | changes)
        campaign = load_campaign(spec)
        engine = get_engine(campaign.engine, campaign.settings)
        source = None if source is None else tmp_path / source
        return write_inputs(campaign, engine, tmp_path / directory, source)

    return go


@pytest.fixture(scope="session")
def by_hand(tmp_path_factory, standin, vasp, tools):
    """The whole campaign, call by call, all run. Never write into it: `copied`."""
    root = tmp_path_factory.mktemp("by_hand")
    spec = tools.write(root / "campaign.yaml", SPEC)
    campaign = load_campaign(spec)
    engine = get_engine("vasp", campaign.settings)
    calls = []
    with pytest.MonkeyPatch.context() as monkeypatch:
        point_at(standin, monkeypatch)
        for _ in range(4):
            calls.append(write_inputs(campaign, engine, root / "out"))
            vasp(root / "out")
    return SimpleNamespace(spec=spec, directory=root / "out", calls=calls)


@pytest.fixture
def copied(by_hand, tmp_path):
    """A copy of the first calls of that campaign, to write into."""

    def go(calls, directory="out"):
        target = tmp_path / directory
        for call in by_hand.calls[:calls]:
            for folder in call.folders:
                shutil.copytree(by_hand.directory / folder, target / folder)
        return target

    return go
