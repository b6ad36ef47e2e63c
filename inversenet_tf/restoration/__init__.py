"""A trained model or an export in use, on arrays and on photographs of any size."""
