"""Models that are built here, because a demonstration and a test may not depend on a download."""
