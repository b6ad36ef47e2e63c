"""Reads and writes image files and everything else that is kept on disk."""
