"""The dashboard: pages in a browser that look at a deployment and change it, served to this machine alone."""
