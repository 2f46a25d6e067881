"""What a deployment does beside running functions: a folder for each, with what the server does and its routes."""
