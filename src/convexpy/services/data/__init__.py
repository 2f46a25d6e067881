"""Tables and documents, as the command line and other tools read and change them."""
