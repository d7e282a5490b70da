"""The stage "compact" of a run: copy small shards of the embedding store together, so that they stay few.

The command `findimg-jobs compact` is another thing: it merges segments of a version, see `build/merge_policies.py`.
"""

from findimg.settings import Settings
from findimg_jobs.build.write_session import WriteSession
from findimg_jobs.encoders.choose_encoders import ChosenEncoder
from findimg_jobs.store.committed_images import CommittedImages, read_committed
from findimg_jobs.store.shard_compaction import compact_shards, is_crowded


def compact_shards_if_crowded(
    session: WriteSession, settings: Settings, encoder: ChosenEncoder, committed: CommittedImages
) -> CommittedImages:
    """Copy small shards together if there are many, and return what is committed for the encoder afterwards.

    Nobody else may publish meanwhile, because shards that are read for that are deleted.

    Args:
        session: the library to write to.
        settings: the operator's settings.
        encoder: the encoder.
        committed: what is committed for the encoder before.
    """
    storage, fingerprint = session.library.storage, encoder.fingerprint
    if not is_crowded(committed, settings.shard_size):
        return committed
    with session.clock.stage("compact"):
        compact_shards(storage, fingerprint, settings.shard_size)
    return read_committed(storage, fingerprint)
