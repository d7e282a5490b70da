"""Join the parts of a version, one for each encoder, to one manifest."""

import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, datetime

from findimg.library.manifest import Manifest


def join_parts(parts: Sequence[Manifest], words_by_second: bool = False) -> Manifest:
    """Return the manifest of a new version with the features of one or two encoders.

    Args:
        parts: one for each encoder, each as a version of its own. The first one finds images by image.
        words_by_second: whether the second one finds images by words.
    """
    newest = max(parts, key=lambda part: part.version)
    created = datetime.now(UTC)
    inputs = hashlib.sha256(json.dumps([[part.inputs for part in parts], words_by_second]).encode()).hexdigest()
    if len(parts) == 1:
        inputs = parts[0].inputs
    of_version = {
        "version": f"{created:%Y%m%dT%H%M%S%fZ}-{inputs[:8]}",
        "created": created.isoformat(timespec="seconds"),
        "run": newest.run,
        "failed": newest.failed,
        "sources": newest.sources,
    }
    first, *others = [
        part.model_copy(update={**of_version, "second": None, "words_by_second": False}) for part in parts
    ]
    if not others:
        return first
    return first.model_copy(update={"inputs": inputs, "second": others[0], "words_by_second": words_by_second})
