"""SavedModels of any model: versions, warm-up, and checks in a fresh process."""
