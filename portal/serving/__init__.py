"""Serving: what happens around the application between `portal run` and Ctrl-C, and its care."""
