"""A web page that restores photographs and separates mixtures of digits."""
