"""Previews: deployments of their own beside this one, made for a branch and removed by age."""
