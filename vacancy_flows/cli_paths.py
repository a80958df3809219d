"""Paths that a user types."""

from __future__ import annotations

from typing import Any

import click

from vacancy_flows.output_paths import check_path


class Place(click.Path):
    """A path that what is written will name: see `check_path`."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path, checked."""
        name = ""
        if param is not None:
            name = param.opts[0] if isinstance(param, click.Option) else param.human_readable_name
        check_path(value, name)
        return super().convert(value, param, ctx)
