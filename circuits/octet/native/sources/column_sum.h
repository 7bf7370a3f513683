// sum_x L(x) column(x) for a column of small integers and a functional L that is a sum of outer products: the
// part of the second sum that weights and the sources of products have in it (octet.md 3.8, C).
//
// Where L is A(high) B(low), the first rounds need no more of the column than sum over high of A(high)
// column(high, low), one product a row; and afterwards the column is folded by all of their challenges at once,
// one product a row again. Neither L nor the column's halves are ever written down at full length.
#pragma once
#include "pair_sum.h"
#include "spread.h"

namespace octet {
namespace OCTET_ARCH {

// A column as its integers lie in memory: 0 from `end` on.
struct ColumnValues {
  const uint8_t* bytes = nullptr;
  const int64_t* integers = nullptr;
  size_t end = 0;

  int64_t at(size_t row) const { return bytes ? (int64_t)bytes[row] : integers[row]; }
  // WIDTH of them; null where all are 0.
  const int64_t* block(size_t row, int64_t* room) const {
    if (row >= end) return nullptr;
    const int64_t* values = room;
    if (bytes)
      for (int k = 0; k < Lr::WIDTH; k++) room[k] = bytes[row + k];
    else
      values = integers + row;
    return Small::any(values) ? values : nullptr;
  }
};

class ColumnSum {
 public:
  // values: readable up to 2^nu; end a multiple of the lanes.
  ColumnSum(int nu, const ColumnValues& values, List<Piece>& pieces) : nu_(nu), values_(values) {
    apart_ = MOST_APART;
    for (Piece& piece : pieces) {
      factors_.push(outer_factors(piece));
      const int bits = log2_of(factors_[factors_.size() - 1].inner.size());
      apart_ = piece.offset % Lr::WIDTH ? 0 : bits < apart_ ? bits : apart_;
    }
    if (apart_ < FEWEST_APART) apart_ = 0;
    if (!apart_) {
      spread_pieces(pieces, end_of(pieces), left_);
      whole_.left.from_scalars(left_, true);
      if (values.bytes)
        whole_.right.from_bytes(values.bytes, values.end);
      else
        whole_.right.from_integers(values.integers, values.end);
      return;
    }
    for (const OuterFactors& factors : factors_) contract(factors, *contracted_.push(Owned<PairSum>(new PairSum)));
  }
  ColumnSum(const ColumnSum&) = delete;

  // Whether the column is due before the pass of a round, and then: the round's number of challenges.
  bool folds_at_once(int round) const { return apart_ && round == apart_; }
  void fold_at_once(const Fr* challenges) {
    const List<Fr> eq = eq_table(challenges, apart_);
    List<Piece> pieces;
    for (OuterFactors& factors : factors_) {
      Piece piece;
      List<Fr> folded;
      for (size_t from = 0; from < factors.inner.size(); from += eq.size()) {
        Fr sum = Fr::zero();
        for (size_t l = 0; l < eq.size(); l++) sum = sum + eq[l] * factors.inner[from + l];
        folded.push(sum);
      }
      piece.offset = factors.offset >> apart_;
      piece.variables = log2_of(factors.outer.size()) + log2_of(folded.size());
      piece.axes.push(static_cast<List<Fr>&&>(factors.outer));
      piece.axes.push(static_cast<List<Fr>&&>(folded));
      pieces.push(static_cast<Piece&&>(piece));
    }
    contracted_.clear();
    spread_pieces(pieces, end_of(pieces), left_);
    whole_.left.from_scalars(left_, true);
    fold_values(eq);
    whole_.right.from_scalars(right_, true);
  }
  // The sums that take part in a round.
  void join(int round, List<PairSum*>& live) {
    if (round >= apart_) live.push(&whole_);
    for (const Owned<PairSum>& sum : contracted_) live.push(sum.get());
  }
  // The column's extension, after the last fold.
  Fr value() const { return whole_.right.at(0); }

 private:
  static constexpr int MOST_APART = INNER_VARIABLES, FEWEST_APART = 3;
  static constexpr size_t TOGETHER = 4;  // blocks: a line of the cache holds one

  // sum over the outer index of outer * column, beside the inner factor.
  void contract(const OuterFactors& factors, PairSum& sum) const {
    const size_t size = factors.inner.size(), blocks = size / Lr::WIDTH;
    Buffer<SmallFactor> outer(factors.outer.size());
    for (size_t h = 0; h < outer.size(); h++) outer[h].set(factors.outer[h]);
    Packed inner, contracted;
    inner.resize(size);
    inner.clear();
    for (size_t l = 0; l < size; l++) inner.put(l, factors.inner[l]);
    contracted.resize(size);
    contracted.clear();
    for (size_t h = 0; h < outer.size(); h += SmallSum::MOST) {
      const size_t end = h + SmallSum::MOST < outer.size() ? h + SmallSum::MOST : outer.size();
      for (size_t b = 0; b < blocks; b += TOGETHER)
        if (blocks - b < TOGETHER)
          for (; b < blocks; b++) contract_blocks<1>(factors, outer, h, end, b, contracted);
        else
          contract_blocks<TOGETHER>(factors, outer, h, end, b, contracted);
    }
    sum.variables = nu_;
    sum.left.from_scalars(inner, true);
    sum.right.from_scalars(contracted, true);
  }
  // Adds the part of [from, to) of the outer index in COUNT blocks from `first`.
  template <size_t COUNT>
  void contract_blocks(const OuterFactors& factors, const Buffer<SmallFactor>& outer, size_t from, size_t to, size_t first,
                       Packed& contracted) const {
    const size_t size = factors.inner.size(), start = (size_t)factors.offset + first * Lr::WIDTH;
    int64_t room[Lr::WIDTH];
    SmallSum found[COUNT];
    for (size_t h = from; h < to; h++) {
      if (factors.outer[h].is_zero()) continue;
#pragma GCC unroll 4
      for (size_t b = 0; b < COUNT; b++) {
        const int64_t* values = values_.block(start + h * size + b * Lr::WIDTH, room);
        if (values) found[b].add(values, outer[h]);
      }
    }
#pragma GCC unroll 4
    for (size_t b = 0; b < COUNT; b++) {
      u64* at = contracted.block(first + b);
      (Lr::load(at) + found[b].settled()).store(at);
    }
  }

  // sum over the low index of eq * column.
  void fold_values(const List<Fr>& eq) {
    static constexpr size_t WIDTH = Lr::WIDTH;
    static_assert((size_t)1 << MOST_APART <= SmallSum::MOST && (size_t)1 << FEWEST_APART >= WIDTH, "whole blocks, one sum");
    Buffer<SmallFactor> factors(eq.size());
    for (size_t l = 0; l < factors.size(); l++) factors[l].set(eq[l]);
    const size_t count = (values_.end + eq.size() - 1) / eq.size(), blocks = blocks_of(count);
    right_.resize(count);
    right_.clear();
    for (size_t b = 0; b < blocks; b++) {
      const size_t first = b * WIDTH * eq.size();
      const bool inside = values_.integers && first + WIDTH * eq.size() <= values_.end;
      SmallSum sum;
      for (size_t l = 0; l < eq.size(); l += WIDTH) {
        int64_t columns[WIDTH * WIDTH];
        if (inside) {
          Small::turned(values_.integers + first + l, eq.size(), columns);
        } else {
          for (size_t k = 0; k < WIDTH * WIDTH; k++) {
            const size_t row = first + k % WIDTH * eq.size() + l + k / WIDTH;
            columns[k] = row < values_.end ? values_.at(row) : 0;
          }
        }
        for (size_t k = 0; k < WIDTH; k++)
          if (Small::any(columns + k * WIDTH)) sum.add(columns + k * WIDTH, factors[l + k]);
      }
      sum.settled().store(right_.block(b));
    }
  }

  int nu_, apart_;
  ColumnValues values_;
  List<OuterFactors> factors_;
  List<Owned<PairSum>> contracted_;
  Packed left_, right_;
  PairSum whole_;
};

}  // namespace OCTET_ARCH
}  // namespace octet
