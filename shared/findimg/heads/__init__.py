"""Heads: from an encoder's output to a joint embedding, an image's vector in the space of the word vectors.

`conse` needs no training. `trained_head` learns a team's own labels.
"""
