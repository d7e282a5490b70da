"""Which encoders a library has, and what it keeps of them. A new encoder changes nothing here.

Encoders themselves are in `findimg.encoders`. What else a version is built with is in `findimg_jobs.build_config`.
"""
