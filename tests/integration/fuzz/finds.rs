//! What the search found, each in words of its own beside its file in the corpus.
