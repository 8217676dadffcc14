"""Proof by numbers: what the originals computed, computed again by the operators. `python -m eosdsl.golden FOLDER`.

A folder holds one `.npz` a case: arrays `in_*` and `out_*`, and a JSON text `meta` with the method's name and
parameters. A method here is one file: it says the steps of the language that make the method, and what must agree.
"""
