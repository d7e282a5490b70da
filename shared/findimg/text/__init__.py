"""Words without images: word vectors, spelling, splitting into words.

`lexicon` has nouns and translations, `typed` what people type around a query, `emoji` the things that emoji show.
"""
