"""The claims on trial: each file here is one, found by its name."""
