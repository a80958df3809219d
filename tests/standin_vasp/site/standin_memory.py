"""Spare pymatgen its search for a POTCAR among those it knows, half of a run's CPU time."""


def remember_potcars(potcar_single):
    """Return `PotcarSingle.is_valid` that searches once for each text, and sets what that sets."""
    search = potcar_single.is_valid.fget
    found = {}

    def is_valid(self):
        if self.data not in found:
            found[self.data] = search(self), self._summary_stats
        valid, self._summary_stats = found[self.data]
        return valid

    return property(is_valid)
