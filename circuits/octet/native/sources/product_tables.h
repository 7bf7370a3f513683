// The two factors of a product term on its source's indices (octet.md 3.4, A4, A5): X(i) - z valid(i), and
// K(i), into which the weights, the taps and the random point of the output are contracted.
//
// First the weights are summed over the output axes, one multiplication each; what is left has the taps and
// the source axes that weight axes name. Then one source axis after the other trades its taps for its indices:
// never more than taps times outputs of one axis, times what the other axes hold at that moment.
#pragma once
#include "packed.h"
#include "wiring.h"

namespace octet {
namespace OCTET_ARCH {

// A vector of field elements over several axes, row-major, the slowest axis first.
struct Box {
  size_t length[MAX_RANK];
  List<Fr> values;
};

// sum over the output axes of eq * W: the kept axes of the weight in its own order, padded.
class ContractedWeight {
 public:
  ContractedWeight(const Program& program, const Term& term, const Weighting& w, const int64_t* column)
      : term_(term), shape_(program.vk_tensors[term.weight].shape), w_(w) {
    weights_ = column + program.vk_tensors[term.weight].offset;
    int head = 0;
    for (int i = 0; i < shape_.rank; i++)
      if (term.weight_axes[i].out >= 0) head = i + 1;
    for (int i = head; i < shape_.rank; i++) tail_ <<= shape_.bits[i];
    walk_head(0, head, 0, Fr::one(), true, kept_);
    walk_head(0, head, 0, Fr::one(), false, summed_);
    size_t stride = 1;
    for (int i = shape_.rank; i-- > 0;) {
      const bool kept = term.weight_axes[i].out < 0 || term.weight_axes[i].source >= 0;
      stride_[i] = kept ? stride : 0;
      if (kept && i < head) stride *= shape_.length[i];
      if (kept && i >= head) stride *= shape_.padded(i);
    }
    values_ = List<Fr>(kept_.size() * tail_);
    if (tail_ >= (size_t)Lr::WIDTH)
      sum_lanes();
    else
      sum_singly();
  }

  // Distance of neighbours along a weight axis.
  size_t stride(int axis) const { return stride_[axis]; }
  const Fr& operator[](size_t i) const { return values_[i]; }

 private:
  struct Place {
    size_t offset;
    Fr factor;
  };

  // Lists the tuples of the leading axes, of those that are kept or of those that are summed.
  void walk_head(int axis, int head, size_t offset, const Fr& factor, bool kept, List<Place>& places) {
    if (axis == head) {
      places.push(Place{offset, factor});
      return;
    }
    const WeightAxis& tied = term_.weight_axes[axis];
    size_t step = 1;
    for (int i = axis + 1; i < shape_.rank; i++) step <<= shape_.bits[i];
    const bool is_kept = tied.out < 0 || tied.source >= 0;
    if (is_kept != kept) {
      walk_head(axis + 1, head, offset, factor, kept, places);
      return;
    }
    for (size_t k = 0; k < shape_.length[axis]; k++) {
      const Fr next = tied.out < 0 ? factor : factor * w_.axes[tied.out][k];
      walk_head(axis + 1, head, offset + k * step, next, kept, places);
    }
  }

  void sum_lanes() {
    static constexpr size_t TOGETHER = 4;  // blocks: a line of the cache holds one
    Buffer<Lr> factors(summed_.size());
    for (size_t k = 0; k < summed_.size(); k++) factors[k] = Small::unit(summed_[k].factor);
    const size_t blocks = tail_ / Lr::WIDTH;
    for (size_t place = 0; place < kept_.size(); place++)
      for (size_t from = 0; from < blocks; from += TOGETHER) {
        const size_t count = blocks - from < TOGETHER ? blocks - from : TOGETHER;
        LaneSum sum[TOGETHER];
        for (size_t k = 0; k < summed_.size(); k++) {
          const int64_t* at = weights_ + kept_[place].offset + summed_[k].offset + from * Lr::WIDTH;
          for (size_t b = 0; b < count; b++) sum[b].add(Small::integers(at + b * Lr::WIDTH) * factors[k]);
        }
        for (size_t b = 0; b < count; b++) {
          const Lr s = sum[b].settled();
          Fr* to = values_.data() + place * tail_ + (from + b) * Lr::WIDTH;
          for (int k = 0; k < Lr::WIDTH; k++) to[k] = s.lane(k) * kept_[place].factor;
        }
      }
  }
  void sum_singly() {
    for (size_t place = 0; place < kept_.size(); place++)
      for (size_t i = 0; i < tail_; i++) {
        Fr sum = Fr::zero();
        for (const Place& s : summed_) sum = sum + s.factor * from_signed(weights_[kept_[place].offset + s.offset + i]);
        values_[place * tail_ + i] = sum * kept_[place].factor;
      }
  }

  const Term& term_;
  const Shape& shape_;
  const Weighting& w_;
  const int64_t* weights_;
  size_t tail_ = 1;
  size_t stride_[MAX_RANK];
  List<Place> kept_, summed_;
  List<Fr> values_;
};

// What one tap of an axis adds to one index of it.
struct TapEntry {
  size_t tap, index;
  Fr weight;
};

static inline List<TapEntry> tap_entries(const Program& program, const Term& term, int position, const Weighting& w) {
  const Axis& axis = term.axes[position];
  const Shape& source = program.source_shape(term);
  List<TapEntry> entries;
  if (!(term.has_kernel() && axis.out >= 0)) {
    const List<Fr> sums = walk(axis, source, position, w, 0, axis.taps);
    for (size_t i = 0; i < sums.size(); i++)
      if (!sums[i].is_zero()) entries.push(TapEntry{0, i, sums[i]});
    return entries;
  }
  for (int64_t o = 0; o < axis.count; o++) {
    const Fr& weight = w.axes[axis.out][(size_t)(axis.first + o)];
    if (weight.is_zero()) continue;
    for (int64_t tap = 0; tap < axis.taps; tap++) {
      const int64_t index = axis.base + axis.stride * o + axis.dilation * tap;
      if (index >= 0 && index < source.length[position]) entries.push(TapEntry{(size_t)tap, (size_t)index, weight});
    }
  }
  return entries;
}

// Trades the taps of one axis for its indices.
static inline void trade_axis(Box& box, int rank, int position, size_t length, const List<TapEntry>& entries) {
  size_t outer = 1, inner = 1;
  for (int i = 0; i < position; i++) outer *= box.length[i];
  for (int i = position + 1; i < rank; i++) inner *= box.length[i];
  const size_t taps = box.length[position];
  List<Fr> values(outer * length * inner);
  for (size_t o = 0; o < outer; o++)
    for (const TapEntry& e : entries) {
      const Fr* from = box.values.data() + (o * taps + e.tap) * inner;
      Fr* to = values.data() + (o * length + e.index) * inner;
      for (size_t i = 0; i < inner; i++) to[i] = to[i] + e.weight * from[i];
    }
  box.values = static_cast<List<Fr>&&>(values);
  box.length[position] = length;
}

// Calls visit(row-major true element, padded row) for every true element.
template <class F>
static inline void for_each_element(const Shape& shape, const F& visit) {
  uint32_t index[MAX_RANK] = {0};
  for (u64 element = 0; element < shape.count; element++) {
    u64 row = 0;
    for (int i = 0; i < shape.rank; i++) row = row << shape.bits[i] | index[i];
    visit(element, row);
    for (int i = shape.rank; i-- > 0 && ++index[i] == shape.length[i];) index[i] = 0;
  }
}

// K(i) on all padded indices of the source; `column` holds the weight's column of the key.
static void product_table(const Program& program, const Product& product, const List<Weighting>& points,
                          const int64_t* column, Packed& out) {
  const Term& term = *product.term;
  const Shape& source = program.source_shape(term);
  List<Fr> sum(source.count);
  for (const Weighting& w : points) {
    const ContractedWeight weight(program, term, w, column);
    // Where a source axis, and the kernel, lie in the contracted weight.
    size_t stride[MAX_RANK] = {0}, kernel = 0;
    for (int i = 0; i < (int)term.weight_axes.size(); i++) {
      const WeightAxis& tied = term.weight_axes[i];
      if (tied.kernel) kernel = weight.stride(i);
      if (tied.source >= 0) stride[tied.source] = weight.stride(i);
    }
    // Before any axis is traded: taps where an axis has them, indices where a weight axis names it.
    Box box;
    size_t count = 1;
    for (int i = 0; i < source.rank; i++) {
      const bool taps = !term.names(i) && term.has_kernel() && term.axes[i].out >= 0;
      box.length[i] = term.names(i) ? source.length[i] : taps ? (size_t)term.axes[i].taps : 1;
      count *= box.length[i];
    }
    size_t step = kernel;
    for (int i = source.rank; i-- > 0;) {
      if (term.names(i)) continue;
      stride[i] = step;
      step *= box.length[i];
    }
    box.values.reserve(count);
    size_t index[MAX_RANK] = {0};
    for (size_t k = 0; k < count; k++) {
      size_t at = 0;
      for (int i = 0; i < source.rank; i++) at += index[i] * stride[i];
      box.values.push(weight[at]);
      for (int i = source.rank; i-- > 0 && ++index[i] == box.length[i];) index[i] = 0;
    }
    for (int i = source.rank; i-- > 0;)
      if (!term.names(i)) trade_axis(box, source.rank, i, source.length[i], tap_entries(program, term, i, w));
    const Fr factor = w.coefficient * untied(term, w);
    for (size_t i = 0; i < sum.size(); i++) sum[i] = sum[i] + factor * box.values[i];
  }
  out.resize(source.size());
  out.clear();
  for_each_element(source, [&](u64 element, u64 row) { out.put((size_t)row, sum[element]); });
}

// X(i) - z valid(i) on all padded indices of a source; `values` yields X at a padded row of the source.
template <class F>
static void shifted_source(const Shape& shape, int64_t zero, const F& values, Buffer<int64_t>& out) {
  out.resize(shape.size());
  for (size_t row = 0; row < out.size(); row++) out[row] = values(row);
  for_each_element(shape, [&](u64, u64 row) { out[row] -= zero; });
}

}  // namespace OCTET_ARCH
}  // namespace octet
