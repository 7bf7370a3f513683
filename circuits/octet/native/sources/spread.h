// Functionals on the rows of a column: the outer products of functionals.h, in lanes (octet.md 3.5).
#pragma once
#include "packed.h"
#include "wiring.h"

namespace octet {
namespace OCTET_ARCH {

// Variables of the inner factor, if the axes go so far: so that the outer one is amortized.
static constexpr int INNER_VARIABLES = 6;

// A piece as one outer product, outer(high) inner(low), on the rows from `offset`.
struct OuterFactors {
  uint64_t offset = 0;
  List<Fr> outer, inner;
};

// The outer factor has the piece's scale in it.
static inline OuterFactors outer_factors(const Piece& piece) {
  OuterFactors found;
  found.offset = piece.offset;
  found.inner.push(Fr::one());
  size_t axes = piece.axes.size();
  while (axes > 0 && found.inner.size() < (size_t)1 << INNER_VARIABLES) {
    const List<Fr>& axis = piece.axes[--axes];
    List<Fr> next;
    next.reserve(axis.size() * found.inner.size());
    for (const Fr& a : axis)
      for (const Fr& i : found.inner) next.push(a.is_zero() ? a : a * i);
    found.inner = static_cast<List<Fr>&&>(next);
  }
  found.outer.push(piece.scale);
  for (size_t k = 0; k < axes; k++) {
    List<Fr> next;
    next.reserve(found.outer.size() * piece.axes[k].size());
    for (const Fr& c : found.outer)
      for (const Fr& a : piece.axes[k]) next.push(c.is_zero() || a.is_zero() ? Fr::zero() : c * a);
    found.outer = static_cast<List<Fr>&&>(next);
  }
  return found;
}

// Adds a piece to a column's rows.
static inline void spread_piece(const Piece& piece, Packed& rows) {
  const OuterFactors factors = outer_factors(piece);
  const List<Fr>&coefficients = factors.outer, &inner = factors.inner;
  const size_t start = (size_t)piece.offset;
  if (inner.size() < (size_t)Lr::WIDTH || start % Lr::WIDTH) {
    for (size_t c = 0; c < coefficients.size(); c++)
      for (size_t i = 0; i < inner.size(); i++) {
        const size_t row = start + c * inner.size() + i;
        rows.put(row, rows.get(row) + coefficients[c] * inner[i]);
      }
    return;
  }
  Packed lanes;
  lanes.resize(inner.size());
  for (size_t i = 0; i < inner.size(); i++) lanes.put(i, inner[i]);
  const size_t blocks = inner.size() / Lr::WIDTH;
  for (size_t c = 0; c < coefficients.size(); c++) {
    if (coefficients[c].is_zero()) continue;
    const Lr coefficient = Lr::broadcast(coefficients[c]);
    u64* to = rows.block(start / Lr::WIDTH + c * blocks);
    for (size_t b = 0; b < blocks; b++)
      (Lr::load(to + b * BLOCK_WORDS) + coefficient * Lr::load(lanes.block(b))).store(to + b * BLOCK_WORDS);
  }
}

// Adds factor * gamma * eq(tau_low, .) on a relation's block.
static inline void spread_target(const Target& target, const Fr* tau, const Fr& factor, Packed& rows) {
  const size_t size = (size_t)1 << target.variables, start = (size_t)target.offset;
  Packed eq;
  eq_prefix(tau, target.variables, size, factor * target.gamma, eq);
  if (size < (size_t)Lr::WIDTH || start % Lr::WIDTH) {
    for (size_t i = 0; i < size; i++) rows.put(start + i, rows.get(start + i) + eq.get(i));
    return;
  }
  for (size_t b = 0; b < size / Lr::WIDTH; b++) {
    u64* to = rows.block(start / Lr::WIDTH + b);
    (Lr::load(to) + Lr::load(eq.block(b))).store(to);
  }
}

// The row behind the last one that the pieces cover.
static inline u64 end_of(const List<Piece>& pieces) {
  u64 end = 0;
  for (const Piece& piece : pieces) {
    const u64 e = piece.offset + ((u64)1 << piece.variables);
    end = e > end ? e : end;
  }
  return end;
}

static inline void spread_pieces(const List<Piece>& pieces, size_t rows, Packed& out) {
  out.resize(rows);
  out.clear();
  for (const Piece& piece : pieces) spread_piece(piece, out);
}

}  // namespace OCTET_ARCH
}  // namespace octet
