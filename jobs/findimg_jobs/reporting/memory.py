"""How much memory this process has held."""

import resource
import sys


def peak_memory() -> int:
    """Bytes of memory that this process held at its peak, mapped files included."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Linux tells kibibytes, macOS bytes.
    return most if sys.platform == "darwin" else most * 1024
