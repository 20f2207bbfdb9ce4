"""Pictures: of data, with boxes, masks and labels."""
