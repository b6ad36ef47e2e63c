"""Frozen feature networks that compare images, and the weights that they load."""
