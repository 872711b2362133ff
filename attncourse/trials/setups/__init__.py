"""What the trials are made of: scenes, networks, interventions, one run."""
