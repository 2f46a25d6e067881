"""One module per command: what it declares, and the few lines that join project, client and output."""
