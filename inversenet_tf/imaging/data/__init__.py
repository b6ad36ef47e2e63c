"""Image sources, and how their images become batches of training pairs."""
