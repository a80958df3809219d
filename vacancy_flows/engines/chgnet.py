"""CHGNet, with the default (MP2020-corrected) and the r2SCAN weights.

Deng et al., Nature Machine Intelligence 5, 1031 (2023), doi 10.1038/s42256-023-00716-3.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any, Literal

from monty.json import MSONable

from vacancy_flows.engines.ase_relax import AseEngineRelaxMaker
from vacancy_flows.engines.base import ReferenceCell, ReferenceKind, default_reference
from vacancy_flows.errors import InputError

# weights -> (name in chgnet.model.CHGNet.load, energy scale)
WEIGHTS = {"chgnet": ("0.3.0", "mp2020"), "chgnet-r2scan": ("r2scan", "r2scan")}
# Force calls of a typical relaxation by kind and seconds per atom and call on one core,
# measured with benchmarks/relaxation.py; estimates only.
_CALLS = {"vacancy": 20, "pristine": 10, "host": 25, "candidate": 40, "reference": 10}
_SECONDS_PER_ATOM = 0.006


@dataclass
class ChgnetRelaxMaker(AseEngineRelaxMaker):
    """Relax with CHGNet; ``weights`` is ``chgnet`` or ``chgnet-r2scan``."""

    name: str = "CHGNet relax"
    weights: str = "chgnet"
    device: str = "cpu"

    def _get_calculator(self) -> Any:
        return calculator(self.weights, self.device)

    def provenance(self) -> dict[str, Any]:
        """Return the versions of chgnet and torch, and the weights."""
        return {
            "chgnet": version("chgnet"),
            "torch": version("torch"),
            "weights": WEIGHTS[self.weights][0],
            "device": self.device,
        }


@dataclass(frozen=True)
class ChgnetEngine(MSONable):
    """CHGNet as an engine.

    Parameters
    ----------
    name
        ``chgnet`` (weights 0.3.0, trained on MP2020-corrected PBE/PBE+U energies) or
        ``chgnet-r2scan`` (raw r2SCAN).
    device
        torch device, ``cpu`` or ``cuda``.
    """

    name: str = "chgnet"
    device: str = "cpu"

    @property
    def energy_scale(self) -> str:
        """``mp2020`` or ``r2scan``."""
        return WEIGHTS[self.name][1]

    @property
    def uses_moments(self) -> bool:
        """CHGNet predicts moments but takes none."""
        return False

    @property
    def leaves_files(self) -> bool:
        """The result is all there is."""
        return False

    def check(self, elements: Iterable[str] = ()) -> None:  # noqa: ARG002  # it knows them all
        """Raise `InputError` where chgnet or torch is not installed."""
        missing = [name for name in ("chgnet", "torch") if find_spec(name) is None]
        if missing:
            raise InputError(
                f"engine {self.name!r} needs {' and '.join(missing)}: "
                "pip install 'vacancy-flows[chgnet]'",
                key="engine",
            )
        if self.device != "cpu":
            _check_device(self.device)

    def fingerprint(self) -> dict[str, Any]:
        """Return the weights; nothing else changes a CHGNet energy."""
        return {"code": "chgnet", "weights": WEIGHTS[self.name][0]}

    def effort(self) -> dict[str, Any]:
        """Return nothing: fmax and max_steps say it all."""
        return {}

    def relax_maker(
        self, cell: Literal["free", "fixed"], fmax: float, max_steps: int, name: str = "relax"
    ) -> ChgnetRelaxMaker:
        """Return the Maker of a relaxation (see `Engine.relax_maker`)."""
        return ChgnetRelaxMaker(
            name=name,
            weights=self.name,
            device=self.device,
            relax_cell=cell == "free",
            fmax=fmax,
            steps=max_steps,
        )

    def static_maker(self, name: str = "static") -> ChgnetRelaxMaker:
        """Return the Maker of one energy with forces and stress."""
        return ChgnetRelaxMaker(name=name, weights=self.name, device=self.device, steps=0)

    def reference(self, kind: ReferenceKind) -> ReferenceCell:
        """Return the cell of a reference."""
        return default_reference(kind)

    def seconds(self, n_atoms: int, kind: str) -> float | None:
        """Return a rough cost on one core, from measurements on Li2MnO3."""
        return _SECONDS_PER_ATOM * n_atoms * _CALLS.get(kind, 20)


def _check_device(device: str) -> None:
    """Raise `InputError` where torch cannot use a device."""
    import torch

    try:
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        detail = str(error).splitlines()[0]
        problem = f"torch cannot use {device} here ({detail}): use cpu"
        raise InputError(problem, key="settings.device") from None


@cache
def calculator(weights: str, device: str) -> Any:
    """Return the calculator of this process; loaded once, quiet.

    Parameters
    ----------
    weights
        ``chgnet`` or ``chgnet-r2scan``.
    device
        torch device.
    """
    from chgnet.model import CHGNet

    from vacancy_flows.engines.chgnet_calculator import OneGradientCHGNet

    with contextlib.redirect_stdout(io.StringIO()):  # chgnet prints its size and device
        model = CHGNet.load(model_name=WEIGHTS[weights][0], use_device=device, verbose=False)
        model.requires_grad_(False)  # gradients of weights are for training only
        return OneGradientCHGNet(model, use_device=device)
