// What a relation says at a random point of its output (octet.md 3.4, 3.6 (4)): weightings of the output's
// elements, what a term's axes make of them, and the functional of a product's weight.
#pragma once
#include "functionals.h"

namespace octet {
namespace OCTET_ARCH {

// One point of the output's index space: per output axis eq(t_axis, .), 0 from the true length on.
struct Weighting {
  Fr coefficient = Fr::one();
  List<List<Fr>> axes;
  List<Fr> sums;          // of each axis
  Fr valid = Fr::one();   // their product: the extension of the true box
};

static inline Weighting weighting(const Shape& shape, const Fr* point, const Fr& coefficient) {
  Weighting w;
  w.coefficient = coefficient;
  for (int i = 0; i < shape.rank; i++) {
    w.axes.push(masked_eq(shape, i, point));
    w.sums.push(total(w.axes[i]));
    w.valid = w.valid * w.sums[i];
  }
  return w;
}

// The index of a row-major true element along each axis.
static inline void unravel(const Shape& shape, uint64_t element, uint32_t* index) {
  for (int i = shape.rank; i-- > 0; element /= shape.length[i]) index[i] = (uint32_t)(element % shape.length[i]);
}

// The weighting that picks one true element.
static inline Weighting corner(const Shape& shape, uint64_t element, const Fr& coefficient) {
  uint32_t index[MAX_RANK];
  unravel(shape, element, index);
  Weighting w;
  w.coefficient = coefficient;
  for (int i = 0; i < shape.rank; i++) {
    List<Fr> axis((size_t)shape.padded(i));
    axis[index[i]] = Fr::one();
    w.axes.push(static_cast<List<Fr>&&>(axis));
    w.sums.push(Fr::one());
  }
  return w;
}

// sum_j eq(t, j) over the true elements before `element`: ties go to the first.
static inline Fr earlier_elements(const Shape& shape, const Weighting& w, uint64_t element) {
  uint32_t index[MAX_RANK];
  unravel(shape, element, index);
  Fr sum = Fr::zero(), before = Fr::one();
  for (int i = 0; i < shape.rank; i++) {
    Fr part = Fr::zero();
    for (uint32_t k = 0; k < index[i]; k++) part = part + w.axes[i][k];
    for (int k = i + 1; k < shape.rank; k++) part = part * w.sums[k];
    sum = sum + before * part;
    before = before * w.axes[i][index[i]];
  }
  return sum;
}

// The factor of output axes that no index is tied to: the term is the same along them.
static inline Fr untied(const Term& term, const Weighting& w) {
  Fr product = Fr::one();
  for (size_t i = 0; i < w.sums.size(); i++) {
    bool tied = false;
    for (const Axis& a : term.axes) tied = tied || a.out == (int)i;
    for (const WeightAxis& a : term.weight_axes) tied = tied || a.out == (int)i;
    if (!tied) product = product * w.sums[i];
  }
  return product;
}

// Per index of a source axis, the weights of the output indices that read it through taps from, .., end - 1.
// Positions outside the true length contribute nothing and never wrap.
static inline List<Fr> walk(const Axis& axis, const Shape& source, int position, const Weighting& w, int64_t from, int64_t end) {
  List<Fr> weights((size_t)source.padded(position));
  const int64_t length = source.length[position];
  for (int64_t o = 0; o < axis.count; o++) {
    const Fr weight = axis.out < 0 ? Fr::one() : w.axes[axis.out][(size_t)(axis.first + o)];
    for (int64_t tap = from; tap < end; tap++) {
      const int64_t index = axis.base + axis.stride * o + axis.dilation * tap;
      if (index >= 0 && index < length) weights[(size_t)index] = weights[(size_t)index] + weight;
    }
  }
  return weights;
}

// The functional of a linear term on its source at one weighting.
static inline Piece linear_piece(const Program& program, const Term& term, const Weighting& w) {
  const Shape& source = program.source_shape(term);
  Piece piece;
  piece.offset = program.source_offset(term);
  piece.variables = source.variables;
  piece.scale = from_signed(term.scale) * w.coefficient * untied(term, w);
  for (int i = 0; i < source.rank; i++) piece.axes.push(walk(term.axes[i], source, i, w, 0, term.axes[i].taps));
  return piece;
}

// sum over the true elements of value(element) * product of the axes' weights there.
template <class F>
static inline Fr contract(const Shape& shape, const List<List<Fr>>& axes, const F& value) {
  List<Fr> sums;
  const int last = shape.rank - 1;
  const uint64_t lines = shape.count / shape.length[last];
  sums.reserve(lines);
  for (uint64_t line = 0; line < lines; line++) {
    Fr sum = Fr::zero();
    for (uint32_t k = 0; k < shape.length[last]; k++) {
      const Fr& weight = axes[last][k];
      if (!weight.is_zero()) sum = sum + weight * value(line * shape.length[last] + k);
    }
    sums.push(sum);
  }
  size_t count = sums.size();
  for (int axis = last; axis-- > 0;) {
    const size_t length = shape.length[axis];
    count /= length;
    for (size_t line = 0; line < count; line++) {
      Fr sum = Fr::zero();
      for (size_t k = 0; k < length; k++) sum = sum + axes[axis][k] * sums[line * length + k];
      sums[line] = sum;
    }
  }
  return sums[0];
}

// What a source axis that no weight axis names contributes to each tap, <its weights, values>: one number for
// all taps where no kernel axis tells them apart. Only the positions that a tap reads are walked.
static inline List<Fr> tap_factors(const Term& term, const Axis& axis, const List<Fr>& values, int64_t length, const Weighting& w) {
  const bool apart = term.has_kernel() && axis.out >= 0;
  List<Fr> factors(apart ? (size_t)axis.taps : 1);
  for (int64_t tap = 0; tap < axis.taps; tap++)
    for (int64_t o = 0; o < axis.count; o++) {
      const int64_t index = axis.base + axis.stride * o + axis.dilation * tap;
      if (index < 0 || index >= length) continue;
      const Fr& value = values[(size_t)index];
      Fr& factor = factors[apart ? (size_t)tap : 0];
      factor = factor + (axis.out < 0 ? value : w.axes[axis.out][(size_t)(axis.first + o)] * value);
    }
  return factors;
}

// The functional on the weight's column whose value is K~(rho_low), at one weighting.
static inline Piece weight_piece(const Program& program, const Term& term, const Weighting& w, const Fr* rho) {
  const Shape& source = program.source_shape(term);
  const KeyTensor& weight = program.vk_tensors[term.weight];
  List<List<Fr>> at_rho;
  List<Fr> kernel;  // row-major over the taps of the axes that are not named
  kernel.push(Fr::one());
  for (int i = 0; i < source.rank; i++) {
    at_rho.push(masked_eq(source, i, rho));
    if (term.names(i)) continue;
    List<Fr> next;
    const List<Fr> factors = tap_factors(term, term.axes[i], at_rho[i], source.length[i], w);
    for (const Fr& k : kernel)
      for (const Fr& f : factors) next.push(k * f);
    kernel = static_cast<List<Fr>&&>(next);
  }
  Piece piece;
  piece.offset = weight.offset;
  piece.variables = weight.shape.variables;
  piece.scale = w.coefficient * untied(term, w);
  if (!term.has_kernel()) piece.scale = piece.scale * kernel[0];
  for (int i = 0; i < weight.shape.rank; i++) {
    const WeightAxis& tied = term.weight_axes[i];
    List<Fr> table((size_t)weight.shape.padded(i));
    for (size_t k = 0; k < weight.shape.length[i]; k++) {
      Fr factor = tied.kernel ? kernel[k] : Fr::one();
      if (tied.out >= 0) factor = factor * w.axes[tied.out][k];
      if (tied.source >= 0) factor = factor * at_rho[tied.source][k];
      table[k] = factor;
    }
    piece.axes.push(static_cast<List<Fr>&&>(table));
  }
  return piece;
}

// valid_in~ of a source's true box at the low coordinates of a point.
static inline Fr true_box(const Shape& shape, const Fr* point) {
  Fr product = Fr::one();
  for (int i = 0; i < shape.rank; i++) product = product * total(masked_eq(shape, i, point));
  return product;
}

}  // namespace OCTET_ARCH
}  // namespace octet
