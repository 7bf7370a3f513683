"""What a chain needs of a model: its key as words, and in it the plan that a fixed contract runs."""
