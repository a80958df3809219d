"""Make custodian poll quickly in processes that are started by others, such as workers.

This folder is on PYTHONPATH in `install.StandIn.environment`, so every Python reads this file
first; it changes nothing but the defaults of `Custodian`, to those of ``STANDIN_VASP_POLLING``,
once that is imported.
"""

import json
import os
import sys
from importlib.machinery import PathFinder

POLLING = json.loads(os.environ.get("STANDIN_VASP_POLLING", "{}"))


class _Finder(PathFinder):
    """Find custodian's module as ever, and change its defaults when it is loaded."""

    @classmethod
    def find_spec(cls, fullname, path=None, target=None):
        if fullname != "custodian.custodian":
            return None
        spec = super().find_spec(fullname, path, target)
        load = spec.loader.exec_module

        def load_and_change(module):
            load(module)
            _change(module.Custodian.__init__)

        spec.loader.exec_module = load_and_change
        return spec


def _change(function):
    code, defaults = function.__code__, function.__defaults__
    names = code.co_varnames[code.co_argcount - len(defaults) : code.co_argcount]
    function.__defaults__ = tuple((dict(zip(names, defaults, strict=True)) | POLLING).values())


sys.meta_path.insert(0, _Finder)
