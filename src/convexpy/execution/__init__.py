"""Running app code: loading modules, executing functions against the store, the processes in which that happens."""
