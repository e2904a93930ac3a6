"""The channels and desks that come with syncd; they use the same door as those of others."""
