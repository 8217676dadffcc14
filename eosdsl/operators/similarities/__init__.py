"""Likeness of tokens and anchors, one file each."""
