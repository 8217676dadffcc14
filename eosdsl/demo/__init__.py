"""`python -m eosdsl.demo`: from text to a running model, on a photograph."""
