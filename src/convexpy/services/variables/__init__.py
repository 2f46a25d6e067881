"""Environment variables of a deployment."""
