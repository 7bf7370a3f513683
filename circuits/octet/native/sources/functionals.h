// Linear functionals on committed columns, as sums of outer products of short vectors (octet.md 3.1, 3.4):
// the prover spreads them over rows, the verifier evaluates them at one point.
#pragma once
#include "program.h"

namespace octet {
namespace OCTET_ARCH {

static inline Fr from_signed(int64_t x) {
  return x < 0 ? Fr::from_int(0 - (u64)x).negated() : Fr::from_int((u64)x);
}

// eq(point, i) for every i, index bits from the lowest.
static inline List<Fr> eq_table(const Fr* point, int variables) {
  List<Fr> table((size_t)1 << variables);
  table[0] = Fr::one();
  for (int j = 0; j < variables; j++)
    for (size_t i = 0, size = (size_t)1 << j; i < size; i++) {
      const Fr high = table[i] * point[j];
      table[i + size] = high;
      table[i] = table[i] - high;
    }
  return table;
}

static inline Fr eq(const Fr* a, const Fr* b, int variables) {
  Fr product = Fr::one();
  const Fr one = product;
  for (int j = 0; j < variables; j++) {
    const Fr ab = a[j] * b[j];
    product = product * (ab + ab + one - a[j] - b[j]);
  }
  return product;
}

// eq of an index's bits and a point: the extension of "this block and no other".
static inline Fr eq_index(uint64_t index, const Fr* point, int variables) {
  Fr product = Fr::one();
  const Fr one = product;
  for (int j = 0; j < variables; j++) product = product * (index >> j & 1 ? point[j] : one - point[j]);
  return product;
}

// u~(point) = sum 2^j point_j.
static inline Fr index_value(const Fr* point, int variables) {
  Fr sum = Fr::zero();
  for (int j = variables; j-- > 0;) sum = sum.doubled() + point[j];
  return sum;
}

static inline Fr total(const List<Fr>& values) {
  Fr sum = Fr::zero();
  for (const Fr& v : values) sum = sum + v;
  return sum;
}

// 1, base, base^2 ..
static inline List<Fr> powers(const Fr& base, size_t count) {
  List<Fr> values;
  values.reserve(count);
  for (size_t i = 0; i < count; i++) values.push(i ? values[i - 1] * base : Fr::one());
  return values;
}

// Where the coordinates of an axis begin: the last axis owns the lowest bits.
static inline int first_bit(const Shape& shape, int axis) {
  int bit = 0;
  for (int i = shape.rank - 1; i > axis; i--) bit += shape.bits[i];
  return bit;
}

// eq(point_axis, .) up to the axis' true length, 0 beyond: no sum leaves the true box.
static inline List<Fr> masked_eq(const Shape& shape, int axis, const Fr* point) {
  List<Fr> table = eq_table(point + first_bit(shape, axis), shape.bits[axis]);
  for (size_t i = shape.length[axis]; i < table.size(); i++) table[i] = Fr::zero();
  return table;
}

// scale * (axes_0 x axes_1 x ..) on the rows from `offset`, 0 elsewhere; the slowest axis first, every length
// a power of two, `variables` the sum of their logarithms.
struct Piece {
  uint64_t offset = 0;
  int variables = 0;
  Fr scale = Fr::one();
  List<List<Fr>> axes;
};

static inline int log2_of(size_t size) {
  int bits = 0;
  while ((size_t)1 << bits < size) bits++;
  return bits;
}

static constexpr int SHORT_AXIS = 6;  // coordinates of one axis of lane_piece

// scale * eq(point, word) * weights[lane] on the rows from `offset`, a word's lanes being the lowest bits.
static inline Piece lane_piece(uint64_t offset, const Fr* point, int variables, List<Fr>&& weights, int lane_bits, const Fr& scale) {
  Piece piece;
  piece.offset = offset;
  piece.variables = variables + lane_bits;
  piece.scale = scale;
  for (int end = variables; end > 0;) {
    const int start = (end - 1) / SHORT_AXIS * SHORT_AXIS;
    piece.axes.push(eq_table(point + start, end - start));
    end = start;
  }
  piece.axes.push(static_cast<List<Fr>&&>(weights));
  return piece;
}

// The extension at a point of `nu` coordinates.
static inline Fr piece_at(const Piece& piece, const Fr* point, int nu) {
  Fr value = piece.scale * eq_index(piece.offset >> piece.variables, point + piece.variables, nu - piece.variables);
  int bit = 0;
  for (size_t i = piece.axes.size(); i-- > 0;) {
    // Folding a vector costs half of what its eq table and an inner product do.
    const int bits = log2_of(piece.axes[i].size());
    List<Fr> v;
    v.append(piece.axes[i].data(), piece.axes[i].size());
    for (int j = 0; j < bits; j++)
      for (size_t k = 0, half = v.size() >> (j + 1); k < half; k++)
        v[k] = v[2 * k] + point[bit + j] * (v[2 * k + 1] - v[2 * k]);
    value = value * v[0];
    bit += bits;
  }
  return value;
}

// The sum of its entries.
static inline Fr piece_total(const Piece& piece) {
  Fr value = piece.scale;
  for (const List<Fr>& axis : piece.axes) value = value * total(axis);
  return value;
}

}  // namespace OCTET_ARCH
}  // namespace octet
