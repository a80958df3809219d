"""What the settings of every engine have in common."""

from __future__ import annotations

from typing import Any, Self

from pydantic import BaseModel, ConfigDict


class EngineSettings(BaseModel):
    """Settings as a campaign file gives them: strict, frozen, and kept with a job."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, frozen=True)

    def as_dict(self) -> dict[str, Any]:
        """Return what `from_dict` reads: without it a job's maker would keep but a text of it."""
        names = {"@module": type(self).__module__, "@class": type(self).__name__}
        return {**names, **self.model_dump(mode="json", exclude_none=True)}

    @classmethod
    def from_dict(cls, d: dict[str, Any]) -> Self:
        """Return the settings that `as_dict` wrote."""
        return cls.model_validate({k: v for k, v in d.items() if not k.startswith("@")})
