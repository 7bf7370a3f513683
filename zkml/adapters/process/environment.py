"""The environment of child processes: this one's, without secrets."""

import os
from collections.abc import Mapping

from zkml.config.settings import SECRET_VARIABLES


def child_environment(given: Mapping[str, str] | None) -> dict[str, str]:
    """Return what a child gets: `given`, or this process's environment; in both cases no secret.

    A program that we start has no use for a private key, and could tell it to anybody.
    """
    whole = os.environ if given is None else given
    return {name: value for name, value in whole.items() if name not in SECRET_VARIABLES}
