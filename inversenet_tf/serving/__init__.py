"""SavedModels of any model: versions, warm-up requests, and checks in a fresh process."""
