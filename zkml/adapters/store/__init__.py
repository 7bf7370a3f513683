"""Files by content identifier, in a directory."""
