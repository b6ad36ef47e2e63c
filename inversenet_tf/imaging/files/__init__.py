"""Image files and everything else that is read from or written to disk."""
