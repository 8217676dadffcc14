"""Relaxed lowering: a space in a frozen model, with a gradient for everything that is open."""
