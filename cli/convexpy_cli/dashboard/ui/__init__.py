"""What pages are made of: the frame around them, tables, fields, charts, dialogs."""
