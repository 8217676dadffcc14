"""Search: relaxed programs learn where, how many and how, and hand back a spec. `eosdsl.searching.search` runs it."""
