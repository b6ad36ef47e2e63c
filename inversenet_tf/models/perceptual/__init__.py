"""Frozen feature networks that compare images, and the weights they are loaded from."""
