"""The deployment server process: sockets, signals, the watchdog, and the order in which everything starts and stops."""
