"""Jobs on chain: escrow that pays only on an accepted proof."""
