"""Import the publisher's packages when they are needed, and say how to install them when they are not."""

import importlib
from typing import Any

from zkml.core.extras import install_hint
from zkml.errors import ToolchainError


def require(name: str) -> Any:
    """Import a package that only publishers have.

    Raises:
        ToolchainError: it is not installed, or does not load.
    """
    try:
        return importlib.import_module(name)
    except (ImportError, OSError) as error:  # OSError: a shared library of the package does not load
        package = name.partition(".")[0]
        raise ToolchainError(
            f"expected the package {package}, found {type(error).__name__} on import",
            hint=install_hint(name),
            package=package,
        ) from error
