"""Messages that cross a process border, without any input or output: executor frames and sync messages."""
