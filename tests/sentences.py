"""A library whose encoder is a made pair of towers: photographs of five things, each a colour."""

from pathlib import Path

import numpy as np
from PIL import Image

from findimg.settings import Settings
from findimg_jobs.indexing.run import index
from tests.shared.encoders.made_clip import make_agreeing_folder

COLOURS = {
    "roses": (220, 20, 20),
    "grass": (20, 200, 20),
    "sea": (20, 20, 230),
    "snow": (250, 250, 250),
    "coal": (5, 5, 5),
}
PICTURES = ("roses", "grass", "sea", "snow", "coal", "roses-sea", "grass-snow", "sea-snow")


def draw_things(folder: Path, pictures: tuple[str, ...] = PICTURES, copies: int = 3) -> None:
    """Write images `roses-0.png` and so on. Those of one name differ in their pattern and in their brightness."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in pictures:
        for number in range(copies):
            things = name.split("-")
            random = np.random.default_rng([number, *map(ord, name)])
            pixels = np.repeat([COLOURS[thing] for thing in things], 60 // len(things), axis=0)[None].repeat(40, axis=0)
            dark = random.random((4, 6)).repeat(10, axis=0).repeat(10, axis=1)[:, :, None] < number / 4
            noise = random.integers(-15, 16, pixels.shape)
            image = np.clip(np.where(dark, pixels // 3, pixels) + noise, 0, 255).astype(np.uint8)
            Image.fromarray(image).save(folder / f"{name}-{number}.png")


def publish_things(folder: Path, cache: Path, engine: str = "local") -> None:
    """Make `model`, `pictures` and the published `library` in a folder."""
    make_agreeing_folder(folder / "model")
    draw_things(folder / "pictures")
    index(settings(folder, cache, engine), [str(folder / "pictures")])


def settings(folder: Path, cache: Path, engine: str = "local") -> Settings:
    """Return the settings that `publish_things` indexes with."""
    return Settings(
        library=str(folder / "library"),
        cache=cache,
        engine=engine,
        backbone="onnx-clip",
        weights=str(folder / "model"),
    )
