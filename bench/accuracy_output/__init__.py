"""How well the checks of answers find what was put wrong on purpose, on made resumes."""
