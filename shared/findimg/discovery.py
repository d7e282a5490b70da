"""Imports the modules of a package, so that each one can register what it offers."""

import importlib
import pkgutil
from functools import cache


@cache
def import_modules(package: str) -> None:
    """Import every module that is directly in a package, but none of its sub-packages.

    Args:
        package: full name, such as `findimg.encoders`.
    """
    for module in pkgutil.iter_modules(importlib.import_module(package).__path__, f"{package}."):
        if not module.ispkg:
            importlib.import_module(module.name)
