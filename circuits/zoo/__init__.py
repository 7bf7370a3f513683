"""Small real models, each with the data it was trained on and a card."""
