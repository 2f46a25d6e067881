"""How a deployment is doing: probes, metrics and its state."""
