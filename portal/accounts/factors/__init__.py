"""The second factor: what somebody has besides their password, and what happens to it (M16)."""
