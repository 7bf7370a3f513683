"""The publisher's side: put a circuit, its model and its genesis proof on chain."""
