"""Restorations that need no training: what a trained network has to beat."""
