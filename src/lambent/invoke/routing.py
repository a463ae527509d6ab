"""Which version of a weighted alias an event goes to."""

from lambent.model.invocation import EnvironmentSpec, Target


def choose_version(target: Target, draw: float) -> EnvironmentSpec:
    """The version for one event; ``draw`` is uniform in [0, 1).

    AWS: the additional version takes its weight's share of events, each drawn on its own.
    """
    if target.secondary is not None and draw < target.secondary_weight:
        return target.secondary
    return target.primary
