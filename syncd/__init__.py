"""syncd keeps a shop's stock right on every channel within seconds."""
