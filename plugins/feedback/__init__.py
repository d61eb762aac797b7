"""What people say of an output: thumbs, overrides and what became of the candidate."""
