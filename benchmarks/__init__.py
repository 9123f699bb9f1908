"""What the portal costs, as ratios measured in one run: absolute figures do not carry over."""
