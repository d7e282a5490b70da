"""Keep a library up to date: notice changes of folders and buckets."""
