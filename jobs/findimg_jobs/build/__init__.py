"""Build a version of segments, and publish it.

Three things are called merge:

- The command `findimg-jobs merge` is `rebuild.py`. It builds the live version again from the embedding store.
- The stage "merge" in a run report is the whole build of a version: `build_stage.py`.
- Merging segments means joining some into one. `merge_policies.py` chooses which.

Three things are called compact:

- The command `findimg-jobs compact` merges segments: `choose_compact_merges` in `merge_policies.py`.
- The stage "compact" in a run report copies small shards of the embedding store together: `store/shard_compaction.py`.
- The text store copies its small shards together: `text_store/text_compaction.py`.
"""
