"""Images and their measurements, independent of any network and of both papers."""
