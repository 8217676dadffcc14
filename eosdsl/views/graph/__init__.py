"""The operator graph: how tokens flow through the sites of a program, and what reduces them."""
