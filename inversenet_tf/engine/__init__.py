"""Training of any model at any scale: steps, checkpoints, sessions, devices and workers."""
