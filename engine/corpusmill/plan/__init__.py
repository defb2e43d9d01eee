"""From spec to stages: check, build, fingerprint, explain."""
