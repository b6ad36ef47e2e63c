"""From a user's own measurements to a network for the camera that made them."""
