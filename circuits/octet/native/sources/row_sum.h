// The part of the first sum check that lives on the witness' rows (octet.md 3.6, 3.7, 3.8):
//
//     eq(tau, x) * sum_i lambda^i C_i(x)  +  sum_b lambda^b (helpers of balance b)(x)  +  sum_d left_d(x) right_d(x)
//
// with the constraints of row_constraints.h, and pairs (left, right) for the relations' left sides and for what
// linear terms read of Y, V and D. The lookup tables' own entries are rows of table_segment.h.
//
// eq(tau, .) is not a table: its bound variables are a factor, the round's variable is a line, and what is
// left of it, eq(tau_j+1.., .), is halved by additions. Rows behind the last that is used are constant
// (A7): bytes are 0, a helper is its group's size over alpha, and only the balance has a share in them.
#pragma once
#include "pair_sum.h"
#include "row_constraints.h"

namespace octet {
namespace OCTET_ARCH {

// A round: the eq-free polynomial by its values at 0, 1, -1, 2, -2 and its coefficient of X^5, and the rest.
struct RowRound {
  Fr values[6];
  Quadratic rest;
};

class RowSum {
 public:
  RowSum(const Program& program, const WitnessColumns& witness, const ByteFunctions& bytes, const Fr& alpha, const Fr& beta,
         const Fr* powers, const Fr* tau)
      : p_(program), holds_(witness.holds), alpha_(alpha), tau_(tau), tables_(program, witness, bytes, alpha, powers),
        constraints_(program, tables_, alpha, beta, powers), length_(witness.used) {
    for (int b = 0; b < p_.balances(); b++) balance_power_.push(powers[p_.constraints() + b]);
    alpha_lanes_ = Lr::broadcast(alpha);
    eq_prefix(tau + 1, p_.nu - 1, length_ / 2, Fr::one(), eq_);
  }

  // Adds left(x) * column(x), for Y, V or a D.
  void add_linear(int column, Packed& left) {
    const bool value = p_.table_count() && column == p_.v();
    pairs_.push(RowPair{tables_.add_scalars(left), value ? tables_.value : column, !value});
  }
  // Adds left(x) * (2^S (Y + P - N) + R), or without P and N for an arg-max.
  void add_left_side(bool argmax, Packed& left) {
    const int own = tables_.add(argmax ? DIGITS_OF_ARGMAX : DIGITS, 0);
    pairs_.push(RowPair{tables_.add_scalars(left), own, false});
  }

  // Announces a pass; returns how many jobs it has.
  int prepare(bool folding, int most_jobs) {
    folding_ = folding;
    if (folding) {
      source_length_ = length_;
      length_ = (length_ + 1) / 2;
      held_ = held_ == 0 ? 1 : 0;
      half_[held_].resize(tables_.list.size() * stride(length_));
      halve_eq();
      round_++;
    }
    chunks_ = (even_blocks(length_) + CHUNK_BLOCKS - 1) / CHUNK_BLOCKS;
    jobs_ = chunks_ < (size_t)most_jobs ? (int)chunks_ : most_jobs;
    found_.clear();
    for (int k = 0; k < jobs_; k++) found_.push(RowRound());
    return jobs_;
  }

  void run(int job, const Lr& r) {
    const size_t tables = tables_.list.size();
    Buffer<u64> scratch(folding_ ? 2 * CHUNK_BLOCKS * BLOCK_WORDS : tables * CHUNK_BLOCKS * BLOCK_WORDS);
    Buffer<Lr> lines(4 * tables);
    Buffer<const u64*> rows(tables);
    Sums sums(p_.balances());
    for (size_t chunk = chunks_ * job / jobs_; chunk < chunks_ * (job + 1) / jobs_; chunk++) {
      const size_t from = chunk * CHUNK_BLOCKS, room = even_blocks(length_);
      const size_t count = room - from < CHUNK_BLOCKS ? room - from : CHUNK_BLOCKS;
      for (size_t t = 0; t < tables; t++)
        rows[t] = folding_ ? folded(t, from, count, r, scratch.data())
                           : tables_.rows(t, from, count, scratch.data() + t * CHUNK_BLOCKS * BLOCK_WORDS);
      if (round_ < p_.nu) evaluate(rows.data(), from / 2, count / 2, lines.data(), sums);
    }
    sums.write(found_[job], balance_power_);
  }

  // After all jobs of a pass: the round.
  RowRound settle() {
    if (folding_ && round_ == 1) tables_.release_scalars();
    RowRound all;
    for (int x = 0; x < 6; x++) all.values[x] = Fr::zero();
    for (const RowRound& part : found_) {
      for (int x = 0; x < 6; x++) all.values[x] = all.values[x] + part.values[x];
      all.rest.add(part.rest, Fr::one());
    }
    if (round_ == p_.nu) return all;
    // Every pair of rows beyond adds the tails of the helpers, whatever X is.
    Fr idle = Fr::zero();
    for (int g = 0; g < p_.groups(); g++) idle = idle + tables_.list[tables_.helper(g)].tail;
    const u64 pairs = ((u64)1 << (p_.nu - round_ - 1)) - (length_ + 1) / 2;
    all.rest.constant = all.rest.constant + idle * Fr::from_int(pairs) * balance_power_[0];
    return all;
  }

  // After the last fold: the extension of a committed column at the point.
  Fr limb(int c) const { return final(c) - alpha_; }
  Fr helper(int g) const { return final(tables_.helper(g)); }
  Fr value() const { return final(tables_.value); }
  Fr table_helper(int f) const { return final(tables_.table_helper + f); }

 private:
  // left * right; right is a table, without alpha where it is a limb's.
  struct RowPair {
    int left, right;
    bool limb;
  };
  struct Sums {
    LaneSum at[6], zero, two;
    Buffer<LaneSum> even;  // of each balance

    explicit Sums(int balances) : even((size_t)balances) {
      for (int b = 0; b < balances; b++) even[b] = LaneSum();
    }
    void write(RowRound& out, const List<Fr>& power) {
      for (int x = 0; x < 6; x++) out.values[x] = at[x].total();
      out.rest.constant = zero.total();
      out.rest.square = two.total();
      for (size_t b = 0; b < power.size(); b++) out.rest.constant = out.rest.constant + power[b] * even[b].total();
    }
  };

  size_t stride(size_t length) const { return even_blocks(length) * BLOCK_WORDS; }
  Fr final(int table) const { return Lr::get(half_[held_].data() + (size_t)table * stride(length_), 0); }

  // What is left of eq once a variable more is bound: its two halves' sum; the last entry may lack its
  // neighbour and is found anew.
  void halve_eq() {
    const size_t pairs = (length_ + 1) / 2, whole = eq_.length / 2, blocks = even_blocks(eq_.length) / 2;
    for (size_t b = 0; b < blocks; b++) {
      Lr even, odd;
      Lr::load_pairs(eq_.block(2 * b), even, odd);
      (even + odd).store(eq_.block(b));
    }
    eq_.length = pairs;
    for (size_t i = whole; i < pairs; i++) eq_.put(i, eq_index(i, tau_ + round_ + 2, p_.nu - round_ - 2));
  }

  // This round's rows of a table, folded from the last round's.
  const u64* folded(size_t t, size_t from, size_t count, const Lr& r, u64* scratch) {
    const size_t held = even_blocks(source_length_) / 2;
    const size_t full = held > from ? (held - from < count ? held - from : count) : 0;
    const u64* source = round_ == 1 ? tables_.rows(t, 2 * from, 2 * full, scratch)
                                    : half_[1 - held_].data() + t * stride(source_length_) + 2 * from * BLOCK_WORDS;
    u64* target = half_[held_].data() + t * stride(length_) + from * BLOCK_WORDS;
    fold_blocks(source, target, full, r);
    const Lr tail = Lr::broadcast(tables_.list[t].tail);
    for (size_t b = full; b < count; b++) tail.store(target + b * BLOCK_WORDS);
    return target;
  }

  // lines: room for each table's value at 0, at 1, at the point in hand, and for its step.
  void evaluate(const u64* const* rows, size_t from, size_t count, Lr* lines, Sums& sums) const {
    const size_t pairs = (length_ + 1) / 2, tables = tables_.list.size(), live = (size_t)tables_.constrained;
    Lr *even = lines, *odd = lines + tables, *step = lines + 2 * tables, *v = lines + 3 * tables;
    for (size_t b = 0; b < count && (from + b) * Lr::WIDTH < pairs; b++) {
      for (size_t t = 0; t < tables; t++) {
        Lr::load_pairs(rows[t] + 2 * b * BLOCK_WORDS, even[t], odd[t]);
        step[t] = odd[t] - even[t];
      }
      const size_t left = pairs - (from + b) * Lr::WIDTH;
      const int here = left < (size_t)Lr::WIDTH ? (int)left : Lr::WIDTH;
      for (const RowPair& d : pairs_) {
        sums.zero.add(even[d.left] * (d.limb ? Lr::difference(even[d.right], alpha_lanes_) : even[d.right]));
        sums.two.add(step[d.left] * step[d.right]);
      }
      balances(even, here, sums);
      const Lr weight = Lr::load(eq_.block(from + b)).first(here);
      if (round_ > 0 || !holds_) {  // on the rows themselves the constraints are 0 if they hold
        sums.at[0].add(weight * constraints_.at(even));
        sums.at[1].add(weight * constraints_.at(odd));
      }
      for (size_t t = 0; t < live; t++) v[t] = Lr::carried(Lr::raw_difference(even[t], step[t], 1));  // 4q
      sums.at[2].add(weight * constraints_.at(v));
      for (size_t t = 0; t < live; t++) v[t] = Lr::carried(Lr::raw_difference(v[t], step[t], 1));     // 6q
      sums.at[4].add(weight * constraints_.at(v));
      for (size_t t = 0; t < live; t++) v[t] = Lr::carried(Lr::raw_sum(odd[t], step[t]));             // 4q
      sums.at[3].add(weight * constraints_.at(v));
      sums.at[5].add(weight * constraints_.leading(step));
    }
  }

  void balances(const Lr* even, int count, Sums& sums) const {
    for (int g = 0; g < p_.groups(); g++) sums.even[0].add(even[tables_.helper(g)].first(count));
    for (int f = 0; f < p_.table_count(); f++) sums.even[1 + f].add(even[tables_.table_helper + f].first(count));
  }

  const Program& p_;
  const bool holds_;
  const Fr alpha_;
  const Fr* tau_;
  RowTables tables_;
  RowConstraints constraints_;
  List<RowPair> pairs_;
  List<Fr> balance_power_;
  Lr alpha_lanes_;

  Packed eq_;
  Buffer<u64> half_[2];
  int held_ = -1, round_ = 0;
  size_t length_, source_length_ = 0, chunks_ = 0;
  int jobs_ = 0;
  bool folding_ = false;
  List<RowRound> found_;
};

}  // namespace OCTET_ARCH
}  // namespace octet
