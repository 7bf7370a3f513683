"""A pricer of European call options: a network for tables of numbers, taught by a formula."""
