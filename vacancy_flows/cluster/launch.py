"""FireWorks' own commands with the password from the environment, and an end at SIGTERM."""

from __future__ import annotations

import logging
import signal
from importlib import import_module
from pathlib import Path
from typing import Any

from vacancy_flows.cluster.configuration import read_jobstore
from vacancy_flows.cluster.launchpad import CampaignLaunchPad
from vacancy_flows.cluster.walltime import check_adapter
from vacancy_flows.errors import InputError
from vacancy_flows.worker import end_children

PROGRAMS = ("lpad", "qlaunch", "rlaunch")
_DO = {"singleshot", "rapidfire", "multi", "-h", "--help", "-v", "--version"}
_LOG = logging.getLogger(__name__)


class Stopped(BaseException):
    """The queue, or a user, ended this job: FireWorks notes it as a failure of the run."""


def launch(program: str, arguments: list[str]) -> int:
    """Run a command of FireWorks.

    Parameters
    ----------
    program
        One of `PROGRAMS`.
    arguments
        Its own.

    Raises
    ------
    InputError
        Where a file of the cluster, or an argument, cannot be used.
    """
    from fireworks import fw_config
    from jobflow import SETTINGS

    if program != "lpad" and not _DO & {*arguments}:
        raise InputError("say what to do: singleshot or rapidfire", key=f"fw {program}")
    module: Any = import_module(f"fireworks.scripts.{program}_run")
    module.LaunchPad = CampaignLaunchPad
    if program == "qlaunch" and fw_config.QUEUEADAPTER_LOC and not {"-q", "-c"} & {*arguments}:
        check_adapter(Path(fw_config.QUEUEADAPTER_LOC))
    if program == "rlaunch":
        file = Path(SETTINGS.CONFIG_FILE).expanduser()
        if file.is_file():
            SETTINGS.JOB_STORE = read_jobstore(file)
        signal.signal(signal.SIGTERM, _stop)
    try:
        return int(getattr(module, program)(arguments) or 0)
    except (ValueError, SyntaxError, FileNotFoundError) as error:  # of a file or an argument
        _LOG.debug("refused", exc_info=True)
        raise InputError(" ".join(str(error).split()), key=f"fw {program}") from None


def _stop(*_: object) -> None:
    """End what runs, so that it is known at once; what is being noted is noted to its end."""
    CampaignLaunchPad.stopping = True
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if CampaignLaunchPad.running:
        end_children()
        raise Stopped("stopped by its queue: the end of the walltime, or by hand")
    if not CampaignLaunchPad.noting:
        raise SystemExit(0)  # it only waited for something to run
