"""Keep the background vocabulary of an image–text encoder in the library, so that readers need not compute it."""

import logging

from findimg.encoders.base import TextEncoder
from findimg.encoders.registry import build_encoder, text_files
from findimg.errors import ModelError
from findimg.library.layout import VOCABULARY_FILE, encoder_key
from findimg.models.store import ModelStore
from findimg.search.sentences.vocabulary import make_vocabulary
from findimg.storage.base import Storage
from findimg.text.lexicon import open_lexicon
from findimg_jobs.build_config.build_context import BuildContext

_log = logging.getLogger(__name__)


def ensure_vocabulary(storage: Storage, store: ModelStore, context: BuildContext, weights: str | None) -> None:
    """Compute and write the background vocabulary of an image–text encoder, unless the library has it.

    It is computed once on this machine for all libraries. An encoder that embeds no texts needs none.

    Args:
        storage: the library.
        store: the encoder's weights, and the vocabulary if it was computed before.
        context: names the encoder and has the word vectors.
        weights: a folder or s3:// URI with the encoder's weights, None for the store's.

    Raises:
        ModelError: the weights are missing or damaged.
        StorageError: the library cannot be written.
    """
    config = context.config
    key = encoder_key(config.fingerprint, VOCABULARY_FILE)
    if not text_files(config.backbone) or storage.exists(key):
        return

    def make() -> bytes:
        _log.info("Embedding about 1,200 words with %s. This is done once.", config.backbone)
        encoder = build_encoder(config.backbone, store, weights)
        if not isinstance(encoder, TextEncoder):
            raise ModelError(f"{config.backbone} has no text tower. Use an image–text model.")
        return make_vocabulary(encoder, open_lexicon(), context.words).to_bytes()

    storage.write(key, store.get_or_make(f"{config.backbone}-{config.fingerprint}-vocabulary.npz", make))
