"""The exercises, one file a lesson; a file's name is their topic."""
