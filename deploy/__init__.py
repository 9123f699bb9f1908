"""Setting up a checkout, and checking it: what stands behind the Makefile."""
