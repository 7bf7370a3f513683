"""Handwritten digits: the 1,797 images of 8x8 pixels that scikit-learn carries, and a small CNN."""
