"""Tokens that the deployment issues itself: signing keys and their rotation."""
