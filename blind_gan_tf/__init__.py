"""Blind inversion with a GAN prior: images and the unknown operator from measurements alone."""
