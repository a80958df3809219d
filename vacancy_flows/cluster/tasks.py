"""FireTasks of our own: one becomes a calculation, one adds what finished ones make possible."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Self

from fireworks import FiretaskBase, FWAction, Workflow, explicit_serialize
from fireworks.utilities.fw_serializers import recursive_serialize, serialize_fw
from monty.json import MontyDecoder, MontyEncoder, jsanitize

from vacancy_flows.engines import Engine
from vacancy_flows.errors import EngineError
from vacancy_flows.schemas import Calculation


@explicit_serialize
class CalculationTask(FiretaskBase):
    """Become the Fireworks of a calculation when its turn comes.

    Thousands of vacancies are added at once; on the LaunchPad each of them is one small
    document until then.

    Other Parameters
    ----------------
    calculation : str
        A `Calculation` and its engine as JSON: text is not walked through, as FireWorks does
        with everything else.
    settings : dict
        Kept in every spec.
    earlier : dict, optional
        Directories of an earlier try (`calculation_fireworks`).
    """

    required_params = ("calculation", "settings")
    optional_params = ("earlier",)

    @classmethod
    def of(
        cls,
        calculation: Calculation,
        engine: Engine,
        settings: dict[str, str],
        earlier: Mapping[str, str] | None = None,
    ) -> Self:
        """Return the task of a calculation."""
        text = json.dumps([calculation, engine], cls=MontyEncoder)
        more = {"earlier": dict(earlier)} if earlier else {}
        return cls(calculation=text, settings=settings, **more)

    def run_task(self, fw_spec: dict[str, Any]) -> FWAction:  # noqa: ARG002
        """Return the calculation's Fireworks as a detour, which keep what this one was called."""
        from vacancy_flows.cluster.workflows import calculation_fireworks

        calculation, engine = json.loads(self["calculation"], cls=MontyDecoder)
        fireworks = calculation_fireworks(
            calculation, engine, self["settings"], self.get("earlier")
        )
        return FWAction(detours=[Workflow(fireworks, name=calculation.title)])


@explicit_serialize
class NextTask(FiretaskBase):
    """Add a workflow per strain, or the vacancies of a strained cell, where they are not there.

    jobflow's own task passes no LaunchPad on and its additions stay in one workflow. This one
    asks the LaunchPad for uids first, so it may run again whenever it broke off.

    Other Parameters
    ----------------
    plan : HostPlan
        Of the host.
    engine : Engine
        Of the campaign.
    reference : dict
        The campaign's oxygen reference (`OxygenBlock`).
    names : dict
        uid of each calculation it waits for → rank and energy of its ordering, for this host.
    settings : dict
        Kept in every spec.
    """

    required_params = ("plan", "engine", "reference", "names", "settings")

    def run_task(self, fw_spec: dict[str, Any]) -> FWAction:  # noqa: ARG002
        """Add what follows and say how much that was.

        Raises
        ------
        EngineError
            Where nothing can follow: a calculation did not converge, or all orderings failed.
        """
        from jobflow import SETTINGS

        from vacancy_flows.cluster.adding import Adder
        from vacancy_flows.cluster.connection import Cluster
        from vacancy_flows.cluster.writing import OneAtATime

        store = SETTINGS.JOB_STORE
        store.connect()
        adder = Adder(
            Cluster(self.launchpad, store), self["engine"], self["settings"], self["reference"]
        )
        with OneAtATime(self.launchpad):
            adder.follow(self["plan"], self["names"], self.fw_id)
        if adder.problems:
            raise EngineError("; ".join(adder.problems))
        return FWAction(stored_data={"added": adder.added, "there": adder.there})

    @serialize_fw
    @recursive_serialize
    def to_dict(self) -> dict[str, Any]:
        """Return plain values; FireWorks makes objects of them again."""
        return {key: jsanitize(value, strict=True) for key, value in self.items()}
