from pathlib import Path

import pytest
from PIL import Image

from findimg.errors import StorageError
from findimg.ocr.reader import TextReader
from findimg_jobs.datasets.drawn_pages import draw_pages


@pytest.mark.slow
def test_words_of_the_drawn_pages_can_be_read(tmp_path: Path) -> None:
    reader = TextReader()
    read = {}
    for path in draw_pages(tmp_path / "pages"):
        with Image.open(path) as page:
            read[path.name] = {line.text for line in reader.read(page.convert("RGB"))}
    assert {"Server error 500", "Try again"} <= read["screenshot.png"]
    assert "Roadmap for the second half" in read["slide.png"]
    assert {"Cinnamon roll", "12.10", "Invoice 2024-0815"} <= read["receipt.png"]
    assert {"Nature reserve", "Dogs on a leash, please"} <= read["sign.jpg"]


def test_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="Cannot write to"):
        draw_pages(tmp_path / "file")
