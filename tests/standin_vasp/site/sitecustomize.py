"""Make processes that are started by others, such as workers, as quick as those of a test.

This folder is on PYTHONPATH in `install.StandIn.environment`, so every Python reads this file
first. It changes two modules once they are imported, as `install.install` does: the defaults of
`Custodian`, to those of ``STANDIN_VASP_POLLING``, and how pymatgen looks for POTCARs.
"""

import json
import os
import sys
from importlib.machinery import PathFinder

from standin_memory import remember_potcars

POLLING = json.loads(os.environ.get("STANDIN_VASP_POLLING", "{}"))


def poll_quickly(module):
    """Change the defaults of `Custodian`."""
    function = module.Custodian.__init__
    code, defaults = function.__code__, function.__defaults__
    names = code.co_varnames[code.co_argcount - len(defaults) : code.co_argcount]
    function.__defaults__ = tuple((dict(zip(names, defaults, strict=True)) | POLLING).values())


def look_once(module):
    """Change how pymatgen looks for POTCARs."""
    module.PotcarSingle.is_valid = remember_potcars(module.PotcarSingle)


CHANGES = {"custodian.custodian": poll_quickly, "pymatgen.io.vasp.inputs": look_once}


class _Finder(PathFinder):
    """Find these modules as ever, and change them when they are loaded."""

    @classmethod
    def find_spec(cls, fullname, path=None, target=None):
        change = CHANGES.get(fullname)
        if change is None:
            return None
        spec = super().find_spec(fullname, path, target)
        load = spec.loader.exec_module

        def load_and_change(module):
            load(module)
            change(module)

        spec.loader.exec_module = load_and_change
        return spec


sys.meta_path.insert(0, _Finder)
