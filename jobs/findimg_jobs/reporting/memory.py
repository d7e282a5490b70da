"""Measure the memory of this process."""

import resource
import sys


def peak_memory() -> int:
    """Return the peak resident memory of this process in bytes, including mapped files."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Linux reports KiB, macOS bytes.
    return peak if sys.platform == "darwin" else peak * 1024
