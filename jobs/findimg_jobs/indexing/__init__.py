"""Bring the images of sources into a library.

The way of one image in a run of `findimg-jobs index`, which `run.py` controls:

1. List the sources: `listing/sources.py`.
2. Plan: `plan_stage.py` compares the listing with the embedding store and writes the plan.
3. Embed: `embed_stage.py` gives shards of new images to an engine (`engines/`). Each worker runs `embed_worker.py`,
   which commits a shard to the embedding store (`store/shards.py`).
4. Read text, if the settings say so: `reading/text_stage.py`.
5. Take over what others published meanwhile: `published_changes.py`.
6. Compact small shards: `compact_stage.py`.
7. Build the segments of the new version, and publish it: `build/build_stage.py`.
8. Report: `reporting/run_report.py`.

`add.py` is the short way of a few images. It lists and plans these images itself, and shares steps 3, 4, 6 and 7.
"""
