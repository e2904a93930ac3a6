"""The cases of the conformance kit, by subject. They ask for features and the profile, never for a name."""
