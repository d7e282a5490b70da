from pathlib import Path

import pytest

from tests.shared.storage import memory


@pytest.fixture(params=["folder", "s3", "memory"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URI of an empty place: a folder, an S3 prefix, and a storage with the abstract methods only."""
    if request.param == "folder":
        return str(tmp_path / "place")
    if request.param == "memory":
        memory.empty()
        return "memory://place"
    return f"{request.getfixturevalue('s3')}/place"
