"""Put the stand-in on PATH and point atomate2, custodian and pymatgen at it.

In another folder's conftest.py, where tests/ is not on the path of imports::

    sys.path.insert(0, str(Path(__file__).parents[1]))  # tests/

    @pytest.fixture
    def standin(tmp_path, monkeypatch):
        from standin_vasp.install import install

        return install(tmp_path / "standin", monkeypatch)

Commands that run in processes of their own need `StandIn.environment`, in which custodian polls
quickly too (``site/sitecustomize.py``).
"""

import json
import os
import runpy
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from standin_vasp import faults, potential

TESTS = Path(__file__).resolve().parents[1]
SITE = Path(__file__).resolve().parent / "site"
POTCARS = TESTS / "vacancy_flows" / "engines_vasp" / "synthetic_potcars.py"
NAMES = ("vasp_std", "vasp_gam")
WRAPPER = """#!/bin/sh
# A stand-in for tests, not VASP.
export OMP_NUM_THREADS="${{OMP_NUM_THREADS:-1}}"
PYTHONPATH={tests}"${{PYTHONPATH:+:$PYTHONPATH}}" exec {python} -P -m standin_vasp "$@"
"""
POLLING = {"polling_time_step": 0.1, "monitor_freq": 5}


@dataclass
class StandIn:
    """An installed stand-in: where it is, what it shall do wrong and what it did."""

    directory: Path
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def executable(self) -> Path:
        """The file ``vasp_std``."""
        return self.directory / "bin" / "vasp_std"

    @property
    def potcars(self) -> Path:
        """PMG_VASP_PSP_DIR."""
        return self.directory / "potcars"

    @property
    def fault_file(self) -> Path:
        """STANDIN_VASP_FAULTS."""
        return self.directory / "faults.json"

    def fail(self, *wanted: str | dict[str, Any]) -> None:
        """Set the faults (see `standin_vasp.faults`), replacing earlier ones and their counts."""
        entries = [{"fault": entry} if isinstance(entry, str) else entry for entry in wanted]
        unknown = [e["fault"] for e in entries if e["fault"] not in faults.FAULTS]
        if unknown:
            raise ValueError(f"Unknown faults {unknown}; know {sorted(faults.FAULTS)}.")
        Path(f"{self.fault_file}.counts").unlink(missing_ok=True)
        self.fault_file.write_text(json.dumps(entries))

    def runs(self) -> list[dict[str, str]]:
        """Every call so far in order: ``run`` (description), ``directory``, ``fault`` or ''."""
        path = Path(f"{self.fault_file}.runs")
        return (
            [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []
        )

    def fired(self) -> list[str]:
        """Return the faults that happened, in order."""
        return [run["fault"] for run in self.runs() if run["fault"]]


def prepare(directory: Path, name: str = "toy") -> StandIn:
    """Write executables and POTCARs; ``environment`` is what a subprocess needs (its PATH too)."""
    standin = StandIn(Path(directory))
    text = WRAPPER.format(tests=shlex.quote(str(TESTS)), python=shlex.quote(sys.executable))
    for name_ in NAMES:
        path = standin.executable.with_name(name_)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)
    runpy.run_path(str(POTCARS))["write_potcars"](standin.potcars)
    earlier = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    paths = dict.fromkeys([str(SITE), *filter(None, earlier)])
    standin.environment = {
        "PATH": os.pathsep.join([str(standin.executable.parent), os.environ.get("PATH", "")]),
        "PYTHONPATH": os.pathsep.join(paths),
        "STANDIN_VASP_POLLING": json.dumps(POLLING),
        "PMG_VASP_PSP_DIR": str(standin.potcars),
        "ATOMATE2_VASP_CMD": "vasp_std",
        "ATOMATE2_VASP_GAMMA_CMD": "vasp_gam",
        potential.NAME: name,
        faults.NAME: str(standin.fault_file),
    }
    return standin


def install(
    directory: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    name: str = "toy",
    handlers: Sequence[Any] | None = None,
) -> StandIn:
    """Use the stand-in in this process and its children until the test ends.

    ``handlers`` replaces atomate2's; by default they are made anew, because those of a
    process keep their counts of errors from one job to the next.
    """
    import atomate2
    from atomate2.vasp import run
    from custodian.custodian import Custodian
    from pymatgen.core import SETTINGS

    standin = prepare(directory, name)
    for key, value in standin.environment.items():
        monkeypatch.setenv(key, value)
    monkeypatch.setitem(SETTINGS, "PMG_VASP_PSP_DIR", str(standin.potcars))
    monkeypatch.delitem(SETTINGS, "PMG_VASP_PSP_SUB_DIRS", raising=False)
    monkeypatch.setattr(atomate2.SETTINGS, "VASP_CMD", "vasp_std")
    monkeypatch.setattr(atomate2.SETTINGS, "VASP_GAMMA_CMD", "vasp_gam")
    fresh = handlers if handlers is not None else [type(h)() for h in run.DEFAULT_HANDLERS]
    commands = {"vasp_cmd": "vasp_std", "vasp_gamma_cmd": "vasp_gam", "handlers": tuple(fresh)}
    _default(monkeypatch, run.run_vasp, commands)
    _default(monkeypatch, Custodian.__init__, POLLING)
    remember_potcars(monkeypatch)
    return standin


def remember_potcars(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let pymatgen look for each POTCAR once among those it knows, not whenever it is read."""
    from pymatgen.io.vasp.inputs import PotcarSingle

    remembering = runpy.run_path(str(SITE / "standin_memory.py"))["remember_potcars"]
    monkeypatch.setattr(PotcarSingle, "is_valid", remembering(PotcarSingle))


def look_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let custodian's monitors look at a run only when it has ended, however slow it is.

    Which handler is the first to see a fault depends on the moment otherwise.
    """
    from custodian.custodian import Custodian

    _default(monkeypatch, Custodian.__init__, {"monitor_freq": sys.maxsize})


def _default(monkeypatch: pytest.MonkeyPatch, function: Any, values: dict[str, Any]) -> None:
    """Give a function other default values, until the test ends."""
    code, defaults = function.__code__, function.__defaults__
    names = code.co_varnames[code.co_argcount - len(defaults) : code.co_argcount]
    merged = dict(zip(names, defaults, strict=True)) | values
    monkeypatch.setattr(function, "__defaults__", tuple(merged.values()))
