"""Blind inversion with a GAN prior; nothing of it is written yet."""
