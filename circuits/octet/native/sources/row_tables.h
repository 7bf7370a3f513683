// The tables of a row in the first sum check, and how bytes become them (octet.md 3.6, 3.7).
#pragma once
#include "witness_columns.h"

namespace octet {
namespace OCTET_ARCH {

// LIMB: alpha + byte. HELPER: of a group of limbs. MIX Y' + REST with Y' = alpha + Y: both saturation
// constraints, with their powers. VALUE: V. QUERY, TABLE_HELPER: of a lookup table. SCALARS: a functional.
// DIGITS: 2^S (Y + P - N) + R, and without P and N for an arg-max.
enum RowSource { LIMB, HELPER, MIX, REST, VALUE, QUERY, TABLE_HELPER, SCALARS, DIGITS, DIGITS_OF_ARGMAX };

struct RowTable {
  RowSource source;
  int index;
  Fr tail;  // of every row behind the used ones
};

class RowTables {
 public:
  List<RowTable> list;
  int mix, rest, value = 0, query = 0, table_helper = 0, constrained;

  RowTables(const Program& program, const WitnessColumns& witness, const ByteFunctions& bytes, const Fr& alpha,
            const Fr* powers)
      : p_(program), w_(witness), bytes_(bytes) {
    const Fr zero = Fr::zero();
    for (int c = 0; c < p_.limbs(); c++) list.push(RowTable{LIMB, c, alpha});
    for (int g = 0; g < p_.groups(); g++)
      list.push(RowTable{HELPER, g, bytes.inverse.values[0] * Fr::from_int((u64)group_size(g))});
    mix = add(MIX, 0);
    rest = add(REST, 0);
    if (p_.table_count()) {
      value = add(VALUE, 0);
      query = (int)list.size();
      for (int f = 0; f < p_.table_count(); f++) add(QUERY, f);
      table_helper = (int)list.size();
      for (int f = 0; f < p_.table_count(); f++) add(TABLE_HELPER, f);
    }
    constrained = (int)list.size();
    // above P (255 - Y) + below N Y = (below N - above P) Y' + (above (255 + alpha) P - below alpha N).
    const Fr above = powers[p_.groups() + 1], below = powers[p_.groups() + 2];
    mix_of_p_ = Small::unit(zero - above);
    mix_of_n_ = Small::unit(below);
    rest_of_p_ = Small::unit(above * (Fr::from_int(255) + alpha));
    rest_of_n_ = Small::unit(zero - below * alpha);
    one_unit_ = Small::unit(Fr::one());
    radix_unit_ = Small::unit(Fr::from_int((u64)1 << p_.shift));
    one_ = Lr::broadcast(Fr::one());
    zero_ = Lr::broadcast(zero);
    for (int c = 0; c < p_.limbs(); c++) inverses_.push(bytes.inverse.records.data());
  }

  int group_size(int g) const { return p_.limbs() - 4 * g < 4 ? p_.limbs() - 4 * g : 4; }
  int helper(int g) const { return p_.limbs() + g; }

  int add(RowSource source, int index) {
    list.push(RowTable{source, index, Fr::zero()});
    return (int)list.size() - 1;
  }
  // Takes the scalars of the used rows over.
  int add_scalars(Packed& scalars) {
    Packed own;
    own.words.swap(scalars.words);
    own.length = scalars.length;
    scalars_.push(static_cast<Packed&&>(own));
    return add(SCALARS, (int)scalars_.size() - 1);
  }
  // The first fold has read them.
  void release_scalars() { scalars_.clear(); }

  // Blocks [from, from + count) of a table, written to `to` or where they are.
  const u64* rows(size_t t, size_t from, size_t count, u64* to) const {
    const RowTable& table = list[t];
    if (table.source == SCALARS) return scalars_[table.index].block(from);
    for (size_t b = 0; b < count; b++) entries(table, (from + b) * Lr::WIDTH).store(to + b * BLOCK_WORDS);
    return to;
  }

 private:
  Lr entries(const RowTable& table, size_t row) const {
    const u64* function;
    switch (table.source) {
      case LIMB:
        function = bytes_.shifted.records.data();
        return Small::looked_up(&function, w_.limbs.data() + table.index, 1, row);
      case HELPER:
        return Small::looked_up(inverses_.data(), w_.limbs.data() + 4 * table.index, group_size(table.index), row);
      case MIX:
        return saturated(row, mix_of_p_, mix_of_n_);
      case REST:
        return saturated(row, rest_of_p_, rest_of_n_);
      case VALUE:
        return Small::integers(w_.value + row) * one_unit_;
      case QUERY:
        return Small::where(w_.asked[table.index].data() + row, one_);
      case TABLE_HELPER:
        function = bytes_.of_table[table.index].records.data();
        return Small::where(w_.asked[table.index].data() + row, Small::looked_up(&function, w_.limbs.data(), 1, row));
      default:
        return digits(row, table.source == DIGITS);
    }
  }

  // of_p * P + of_n * N, both of them mostly 0.
  Lr saturated(size_t row, const Lr& of_p, const Lr& of_n) const {
    int64_t p[Lr::WIDTH], n[Lr::WIDTH], any_p = 0, any_n = 0;
    for (int k = 0; k < Lr::WIDTH; k++) {
      any_p |= p[k] = limbs(p_.p(0), p_.saturation, row + k);
      any_n |= n[k] = limbs(p_.n(0), p_.saturation, row + k);
    }
    Lr x = zero_;
    if (any_p) x = Small::integers(p) * of_p;
    if (any_n) x = x + Small::integers(n) * of_n;
    return x;
  }
  int64_t limbs(int first, int count, size_t row) const {
    int64_t x = 0;
    for (int i = 0; i < count; i++) x |= (int64_t)w_.limbs[first + i][row] << (8 * i);
    return x;
  }
  Lr digits(size_t row, bool saturates) const {
    int64_t high[Lr::WIDTH], low[Lr::WIDTH];
    for (int k = 0; k < Lr::WIDTH; k++) {
      high[k] = w_.limbs[0][row + k];
      if (saturates) high[k] += limbs(p_.p(0), p_.saturation, row + k) - limbs(p_.n(0), p_.saturation, row + k);
      low[k] = limbs(p_.r(0), p_.shift / 8, row + k);
    }
    return Small::integers(high) * radix_unit_ + Small::integers(low) * one_unit_;
  }

  const Program& p_;
  const WitnessColumns& w_;
  const ByteFunctions& bytes_;
  List<Packed> scalars_;
  List<const u64*> inverses_;
  Lr mix_of_p_, mix_of_n_, rest_of_p_, rest_of_n_, one_unit_, radix_unit_, one_, zero_;
};

}  // namespace OCTET_ARCH
}  // namespace octet
