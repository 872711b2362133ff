"""The probes: each looks at one thing and yields findings."""
