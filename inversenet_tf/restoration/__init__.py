"""Restoring arrays, and photographs of any size, with trained models, exports and closed forms."""
