"""Image–text models that `findimg-jobs models pull` downloads by name.

Accuracy is zero-shot top-1 on ImageNet, as their authors published it. Licences are those of the weights. The speed on
two cores is estimated from the number of operations, because the weights could not be downloaded.

immich publishes no folder of DataComp's B/32 with 256 pixels. Who exports it to this layout opens it as `onnx-clip`.
"""

import unicodedata
from pathlib import Path
from typing import NamedTuple

from findimg.encoders.onnx_clip import OnnxClip
from findimg.encoders.registry import register_encoder
from findimg.encoders.runtimes.clip_folder import CLIP_WEIGHTS, CONFIG, TEXTUAL, ClipConfig, check_folder, read_config
from findimg.encoders.runtimes.clip_text import ClipTextTower
from findimg.models.artefacts import Artefact, FolderDownload, register_artefact


class Preset(NamedTuple):
    """A published model."""

    folder: str  # at immich-app on Hugging Face
    megabytes: int
    licence: str
    accuracy: str  # or what else it is chosen for
    speed: int  # images/s
    multilingual: bool = False


PRESETS = {
    "clip-b32": Preset("ViT-B-32__openai", 611, "MIT", "ImageNet 63.3 %", 17),
    "clip-b32-laion2b": Preset("ViT-B-32__laion2b-s34b-b79k", 611, "MIT", "ImageNet 66.6 %", 17),
    "siglip2-b32-256": Preset(
        "ViT-B-32-SigLIP2-256__webli", 1542, "Apache-2.0", "ImageNet 74.0 %", 13, multilingual=True
    ),
    "siglip2-b16": Preset("ViT-B-16-SigLIP2__webli", 1535, "Apache-2.0", "ImageNet 78.2 %", 4, multilingual=True),
    "nllb-clip-base": Preset("nllb-clip-base-siglip__v1", 2000, "CC-BY-NC-4.0", "200 languages", 4, multilingual=True),
}
_ENGLISH = "eng_Latn"
# The language that a script most probably stands for, as NLLB writes it.
_LANGUAGES = {
    "ARABIC": "arb_Arab",
    "BENGALI": "ben_Beng",
    "CJK": "zho_Hans",
    "CYRILLIC": "rus_Cyrl",
    "DEVANAGARI": "hin_Deva",
    "GREEK": "ell_Grek",
    "HANGUL": "kor_Hang",
    "HEBREW": "heb_Hebr",
    "HIRAGANA": "jpn_Jpan",
    "KATAKANA": "jpn_Jpan",
    "TAMIL": "tam_Taml",
    "THAI": "tha_Thai",
}


class NllbTextTower(ClipTextTower):
    """A text tower whose texts begin with a language."""

    def __init__(self, folder: Path, config: ClipConfig, threads: int | None):
        super().__init__(folder, config, threads, multilingual=True)
        self.prompt = "{}"  # an English prompt around another language would hide it

    def _addressed(self, text: str) -> str:
        languages = [_language(letter) for letter in text if letter.isalpha()]
        # Japanese mixes its own letters with Chinese ones.
        likely = "jpn_Jpan" if "jpn_Jpan" in languages else max(languages, key=languages.count, default=_ENGLISH)
        return likely + text


class NllbClip(OnnxClip):
    """An image–text model for 200 languages."""

    @classmethod
    def open_texts(cls, folder: Path, threads: int | None) -> ClipTextTower:
        check_folder(folder, (CONFIG, *TEXTUAL))
        return NllbTextTower(folder, read_config(folder, CONFIG, ClipConfig), threads)


def _language(letter: str) -> str:
    script = unicodedata.name(letter, "").split(" ")[0]
    return _LANGUAGES.get(script, _ENGLISH)


def _register(name: str, preset: Preset) -> None:
    note = f"{preset.licence}, {preset.accuracy}, estimate: {preset.speed} images/s on 2 cores"
    url = f"https://huggingface.co/immich-app/{preset.folder}/resolve/main"
    origin = FolderDownload(url, preset.megabytes * 1_000_000)
    artefact = register_artefact(Artefact(name, CLIP_WEIGHTS, origin, note))
    base = NllbClip if name.startswith("nllb") else OnnxClip
    own = {"name": name, "artefact": artefact, "multilingual": preset.multilingual}
    register_encoder(type(f"{base.__name__}Preset", (base,), own))


for _name, _preset in PRESETS.items():
    _register(_name, _preset)
