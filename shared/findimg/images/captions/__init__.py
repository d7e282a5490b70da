"""Read what people wrote about an image: titles, descriptions and keywords in its metadata."""

from findimg.images.captions.captions import SIDECAR_BYTES, read_captions, read_sidecar

__all__ = ["SIDECAR_BYTES", "read_captions", "read_sidecar"]
