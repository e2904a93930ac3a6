"""The cases of the desk kit, by subject."""
