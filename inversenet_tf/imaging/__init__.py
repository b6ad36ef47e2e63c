"""Images and their measurements; knows no network and neither paper."""
