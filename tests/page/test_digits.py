"""Mixtures of digits on the page, with a prior that was not trained."""
