"""Short integer vectors that a linear form modulo r does not see, by Lenstra, Lenstra and Lovasz."""

from fractions import Fraction

from zkml.core.field import R


def unseen(weights):
    """Return a short vector of integers, not all zero, with sum weights_i v_i = 0 modulo r."""
    first = pow(weights[0], -1, R)
    basis = [[R] + [0] * (len(weights) - 1)]
    for index, weight in enumerate(weights[1:], 1):
        row = [0] * len(weights)
        row[0], row[index] = -weight * first % R, 1
        basis.append(row)
    return min(reduced(basis), key=lambda row: dot(row, row))


def dot(left, right):
    return sum(a * b for a, b in zip(left, right, strict=True))


def reduced(basis):
    """Return a basis of the same lattice, reduced with factor 3/4.

    Gram-Schmidt is kept in fractions and made again from the row that changed: the dimension is about ten.
    """
    size, at = len(basis), 1
    orthogonal, lengths = [list(map(Fraction, basis[0]))], [Fraction(dot(basis[0], basis[0]))]
    while at < size:
        del orthogonal[at:], lengths[at:]
        for below in reversed(range(at)):
            times = round(dot(basis[at], orthogonal[below]) / lengths[below])
            basis[at] = [a - times * b for a, b in zip(basis[at], basis[below], strict=True)]
        factors = [dot(basis[at], orthogonal[below]) / lengths[below] for below in range(at)]
        rest = list(map(Fraction, basis[at]))
        for factor, other in zip(factors, orthogonal, strict=True):
            rest = [a - factor * b for a, b in zip(rest, other, strict=True)]
        length = dot(rest, rest)
        if length >= (Fraction(3, 4) - factors[-1] ** 2) * lengths[-1]:
            orthogonal.append(rest)
            lengths.append(length)
            at += 1
        else:
            basis[at - 1], basis[at] = basis[at], basis[at - 1]
            at = max(at - 1, 1)
            if at == 1:
                orthogonal, lengths = [list(map(Fraction, basis[0]))], [Fraction(dot(basis[0], basis[0]))]
    return basis
