"""A trained InverseNet as a SavedModel or a LiteRT file, and the proof that it is the same."""
