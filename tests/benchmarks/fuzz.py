"""Decode mutations of small images for a given time, and report crashes, slow inputs and memory.

Each batch runs in a process of its own, so that a crash of a native decoder costs only the batch. The input is stored
before it is decoded, so that it can be tried again.
"""

import argparse
import io
import os
import random
import resource
import signal
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import PIL.ImageCms

from findimg.errors import ImageError
from findimg.images import decode, thumbnail
from tests.shared.images.test_extras import dng

_BATCH = 100
_MAX_SECONDS = 10.0  # CPU time of one input
_MAX_MEMORY = 700  # MB that a batch may take beyond its start
_KILLED_AFTER = 60  # seconds of CPU time of one batch
_HUNG_AFTER = 300  # seconds


def samples() -> dict[str, bytes]:
    """Return one small image of each kind that a decoder treats differently, by name."""
    noise = np.random.default_rng(1).integers(0, 256, (60, 80, 3), np.uint8)
    smooth = PIL.Image.fromarray(noise).resize((8, 6)).resize((80, 60), PIL.Image.Resampling.BICUBIC)
    found: dict[str, bytes] = {}

    def add(name: str, picture: PIL.Image.Image, kind: str, **options: Any) -> None:
        file = io.BytesIO()
        picture.save(file, kind, **options)
        found[name] = file.getvalue()

    exif = PIL.Image.Exif()
    exif[274] = 6
    meta = {
        "exif": exif.tobytes(),
        "icc_profile": PIL.ImageCms.ImageCmsProfile(PIL.ImageCms.createProfile("sRGB")).tobytes(),
    }
    add("JPEG", smooth, "JPEG", **meta)
    add("JPEG progressive", smooth, "JPEG", progressive=True)
    add("JPEG CMYK", smooth.convert("CMYK"), "JPEG")
    add("MPO", smooth, "MPO", save_all=True, append_images=[smooth])
    for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"):
        add(f"PNG {mode}", smooth.convert(mode if mode != "I;16" else "I").convert(mode), "PNG", **meta)
    add("APNG", smooth, "PNG", save_all=True, append_images=[smooth.rotate(90)])
    add("GIF", smooth, "GIF", save_all=True, append_images=[smooth.rotate(90)])
    add("WebP", smooth, "WEBP", **meta)
    add("WebP lossless", smooth.convert("RGBA"), "WEBP", lossless=True)
    add("WebP animation", smooth, "WEBP", save_all=True, append_images=[smooth.rotate(90)])
    for mode in ("1", "L", "P", "RGB", "RGBA"):
        add(f"BMP {mode}", smooth.convert(mode), "BMP")
    add("AVIF", smooth.convert("RGBA"), "AVIF", **meta)
    add("AVIF animation", smooth, "AVIF", save_all=True, append_images=[smooth.rotate(90)])
    _add_tiffs(found, np.asarray(smooth))
    _add_with_plugins(add, smooth)
    found["DNG"], found["DNG without preview"] = dng(), dng(preview=False)
    return found


def _add_tiffs(found: dict[str, bytes], rgb: np.ndarray) -> None:
    import tifffile

    wide = rgb.astype(np.uint16) * 257
    kinds: dict[str, tuple[np.ndarray, dict[str, Any]]] = {
        "TIFF": (rgb, {}),
        "TIFF big": (wide, {"bigtiff": True}),
        "TIFF tiles": (wide, {"tile": (16, 32), "compression": "zlib", "predictor": True}),
        "TIFF planar": (np.moveaxis(wide, -1, 0), {"planarconfig": "separate"}),
        "TIFF float": ((rgb / 255).astype(np.float32), {"compression": "zlib"}),
    }
    for compression in ("lzw", "packbits", "jpeg", "webp", "jpegxl", "jpeg2000", "lerc", "zstd"):
        kinds[f"TIFF {compression}"] = (rgb, {"compression": compression})
    for name, (values, options) in kinds.items():
        file = io.BytesIO()
        tifffile.imwrite(file, values, photometric="rgb", metadata=None, **options)
        found[name] = file.getvalue()
    file = io.BytesIO()
    tifffile.imwrite(file, rgb, photometric="cielab", metadata=None)
    found["TIFF L*a*b*"] = file.getvalue()


def _add_with_plugins(add: Callable[..., None], smooth: PIL.Image.Image) -> None:
    import pillow_heif
    import pillow_jxl  # noqa: F401  # registers itself

    pillow_heif.register_heif_opener()
    add("HEIC", smooth, "HEIF")
    add("JPEG XL", smooth, "JXL")


def mutate(data: bytes, choose: random.Random) -> bytes:
    """Return a copy with some bytes changed, inserted, doubled or dropped, mostly near the start."""
    result = bytearray(data)
    for _ in range(choose.choice((1, 1, 2, 3, 8, 30))):
        if not result:
            break
        at = choose.randrange(min(len(result), choose.choice((32, 256, 2048, len(result)))))
        match choose.randrange(7):
            case 0:
                result[at] = choose.randrange(256)
            case 1:
                result[at] ^= 1 << choose.randrange(8)
            case 2:
                size = choose.choice((1, 2, 4, 8))
                result[at : at + size] = choose.choice((b"\0", b"\xff", b"\x7f", b"\x80")) * size
            case 3:
                number = choose.choice((0, 1, 2**15, 2**16 - 1, 2**24, 2**31 - 1, 2**31, 2**32 - 1))
                result[at : at + 4] = number.to_bytes(4, choose.choice(("little", "big")))
            case 4:
                del result[at : at + choose.randrange(1, 20)]
            case 5:
                result[at:at] = result[at : at + choose.randrange(1, 200)]
            case 6:
                other = choose.randrange(len(result))
                result[at : at + 4] = result[other : other + 4]
    return bytes(result[: choose.randrange(len(result))] if result and choose.randrange(8) == 0 else result)


def _run_batch(kinds: dict[str, bytes], seed: int, place: Path) -> None:
    """Decode a batch. The exit code is 0, or 1 for an input that broke a rule. The last input is in `place`."""
    warnings.simplefilter("ignore")
    resource.setrlimit(resource.RLIMIT_CPU, (_KILLED_AFTER, _KILLED_AFTER))
    signal.alarm(_HUNG_AFTER)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    choose = random.Random(seed)
    names = sorted(kinds)
    start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(_BATCH):
        data = mutate(kinds[choose.choice(names)], choose)
        place.write_bytes(data)
        began = time.process_time()
        reason = ""
        try:
            image = decode(data)
            assert image.pixels.mode == "RGB"
            thumbnail(image)
        except ImageError:
            pass
        except BaseException as error:
            reason = f"exception {error!r}"
        memory = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - start) // 1024
        if time.process_time() - began > _MAX_SECONDS:
            reason = f"{time.process_time() - began:.0f} s"
        elif memory > _MAX_MEMORY:
            reason = f"{memory} MB"
        if reason:
            place.with_suffix(".reason").write_text(reason)
            os._exit(1)
    os._exit(0)


def fuzz(seconds: float, seed: int, kept: Path) -> tuple[int, Counter[str]]:
    """Decode mutations for a time. Return the number of inputs, and the problems. Their inputs are in `kept`."""
    # Nothing is decoded in this process, because LibRaw hangs in the child of a process that used OpenMP.
    kinds = samples()
    problems: Counter[str] = Counter()
    end = time.monotonic() + seconds
    batches = 0
    while time.monotonic() < end:
        batches += 1
        place = kept / f"{seed + batches}.bin"
        process = os.fork()
        if process == 0:
            _run_batch(kinds, seed + batches, place)
        _, status = os.waitpid(process, 0)
        reason = place.with_suffix(".reason")
        if status == 0:
            place.unlink()
        elif os.WIFSIGNALED(status):
            problems[f"{signal.Signals(os.WTERMSIG(status)).name}: {place.name}"] += 1
        else:
            problems[f"{reason.read_text()}: {place.name}"] += 1
    return batches * _BATCH, problems


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kept", type=Path, help="folder for inputs that broke a rule")
    options = parser.parse_args()
    kept = options.kept or Path(tempfile.mkdtemp(prefix="findimg-fuzz-"))
    kept.mkdir(parents=True, exist_ok=True)
    inputs, problems = fuzz(options.seconds, options.seed, kept)
    print(f"{inputs} inputs, {problems.total()} problems. Their inputs are in {kept}.")
    for problem, count in problems.items():
        print(f"  {count} × {problem}")


if __name__ == "__main__":
    main()
