"""The networks of InverseNet, their losses, and the model that trains them jointly."""
