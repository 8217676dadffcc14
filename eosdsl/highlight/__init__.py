"""Colours for specs: one table of patterns, from which the TextMate grammar and the Pygments lexer are made."""
