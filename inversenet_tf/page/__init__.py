"""A page for the browser: restoring photographs, and taking mixtures of digits apart."""
