"""AI models that are owned, run and paid for by proof."""
