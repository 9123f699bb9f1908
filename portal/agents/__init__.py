"""Agents and apps behind the portal, and the gate in front of them."""
