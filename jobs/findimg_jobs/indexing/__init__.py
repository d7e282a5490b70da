"""Bring the images of sources into a library.

The way of one image in a run of `findimg-jobs index`, which `run.py` controls. Before the first step,
`encoders/choose_encoders.py` decides with which encoders the library is embedded: one or two.

1. List the sources: `listing/sources.py`.
2. Plan: `plan_stage.py` decides which images the next version has, and writes the plan. Before that,
   `with_published_changes` (`published_changes.py`) changes the listing as others changed the library while it was
   made. The plan does not decide which images must be embedded.
3. Select: `CommittedImages.to_embed` (`store/committed_images.py`) returns the images of the plan that are new: no
   committed row of the embedding store has their URI and etag, and they have not failed permanently. `run.py` calls it
   in `_select_new_images`. The report counts its time in the stage "plan".
4. Embed: `embed_stage.py` gives shards of new images to an engine (`engines/`). Each worker runs `embed_worker.py`,
   which commits a shard to the embedding store (`store/shards.py`). For an image–text model, `embed_stage.py` also
   embeds the background vocabulary, once.
5. Read text in pictures, if the settings say so: `text_reading/text_stage.py`.
6. Take over what others published meanwhile: `published_changes.py`. It writes the plan again. If it changed the plan,
   the steps 3 to 5 run again, so they run up to three times.
7. Copy small shards together: `shard_compaction_stage.py`, the stage "compact" of the report. The text store does the
   same in `text_store/text_compaction.py`.
8. Build the segments of the new version, and publish it: `build/build_stage.py`, the stages "merge" and "publish".
   Before that, `run.py` measures the cosine of near-duplicates, once for a library with an image–text model.
9. Report: `reporting/run_report.py`.

A new step goes into `run.py`. If it does something with new images, call it in `_embed_and_read_text`. It must then
find nothing to do for images that it has done, because that function runs up to three times. If it needs the final
images, call it in `_embed_and_publish`, with the lease to publish. Give it a name with `clock.stage`, which the report
shows.

Two other sequences publish a version, so a new step may be needed there, too:

- `add.py` adds or removes a few images. It lists and plans these images itself, and shares steps 3, 4, 5, 7 and 8.
- `publish_images` in `build/rebuild.py` embeds nothing, and has step 8 only. The commands that build a live version
  again call it, such as `merge`, `forget` and `read-captions`.

`encoders use` and `encoders remove` build nothing. They publish a manifest of segments that exist. `rollback` makes an
earlier version the live one.
"""
