"""Asking a model about images, full and reduced, side by side."""
