"""A Model Context Protocol server on standard input and output: what coding agents may ask of deployments."""
