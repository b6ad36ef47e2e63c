"""The tables and figures of the InverseNet paper, from training to Markdown."""
