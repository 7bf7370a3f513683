// The first sumcheck's polynomial at one point, without the relations' products: row constraints and
// balances (logup.py, octet.md 3.6 and 3.7) on claimed values instead of a row's.
#pragma once
#include "wiring.h"

namespace octet {
namespace OCTET_ARCH {

// Extensions of the public functions at a point.
struct PublicValues {
  Fr u, sel;
  List<Fr> table_rows, asks;  // sel_f and q_f per table
};

static inline PublicValues public_values(const Program& program, const Fr* point) {
  PublicValues values;
  values.u = index_value(point, 8);
  values.sel = eq_index(0, point + 8, program.nu - 8);
  for (size_t t = 0; t < program.tables.size(); t++) {
    const uint64_t row = program.vk_tensors[program.tables[t].values].offset;
    values.table_rows.push(OCTET_HOLDS("table_selector") ? eq_index(row >> 8, point + 8, program.nu - 8) : Fr::one());
    Fr asks = Fr::zero();
    for (const Block& block : program.blocks) {
      if (block.table != (int)t) continue;
      const int bits = block.shape.variables;
      asks = asks + true_box(block.shape, point) * eq_index(block.offset >> bits, point + bits, program.nu - bits);
    }
    values.asks.push(asks);
  }
  return values;
}

// Adds up terms, each with the next power of lambda, whether or not it is in force.
class PoweredSum {
 public:
  PoweredSum(const char* name, const Fr* powers) : name_(name), powers_(powers) {}
  void add(const Fr& term) {
    if (OCTET_HOLDS_AT(name_, count_)) sum_ = sum_ + powers_[count_] * term;
    count_++;
  }
  const Fr& sum() const { return sum_; }

 private:
  const char* name_;
  const Fr* powers_;
  int count_ = 0;
  Fr sum_ = Fr::zero();
};

// values: per committed column, its claimed value at the point (any, where no claim is).
static inline Fr row_constraints(const Program& program, const Challenges& drawn, const PublicValues& shown, const Fr* values) {
  const Fr one = Fr::one(), &alpha = drawn.alpha, &beta = drawn.beta;
  PoweredSum sum("constraint", drawn.powers.data());
  for (int group = 0; group < program.groups(); group++) {
    Fr all = one, without = Fr::zero();  // of alpha + limb: the product, and the sum of products but one
    for (int c = 4 * group; c < 4 * group + 4 && c < program.limbs(); c++) {
      const Fr cell = alpha + values[c];
      without = without * cell + all;
      all = all * cell;
    }
    sum.add(values[program.h(group)] * all - without);
  }
  sum.add(values[program.ht()] * (alpha + shown.u) - shown.sel * values[program.m()]);
  Fr above = Fr::zero(), below = Fr::zero();
  const Fr byte = Fr::from_int(256), &y = values[program.y()];
  for (int i = program.saturation; i-- > 0;) {
    above = above * byte + values[program.p(i)];
    below = below * byte + values[program.n(i)];
  }
  sum.add(above * (Fr::from_int(255) - y));
  sum.add(below * y);
  if (program.slots) {
    Fr product = one;
    for (int i = 0; i < program.slots; i++) product = product * values[program.d(i)];
    sum.add(product);
  }
  Fr silent = one;
  for (int t = 0; t < program.table_count(); t++) {
    const LookupTable& table = program.tables[t];
    const Fr key = alpha + beta * beta * from_signed(table.identity);
    const Fr& entry = values[program.k(program.vk_tensors[table.values].column)];
    sum.add(values[program.h_of(t)] * (key + y + beta * values[program.v()]) - shown.asks[t]);
    sum.add(values[program.ht_of(t)] * (key + shown.u + beta * entry) - shown.table_rows[t] * values[program.m_of(t)]);
    silent = silent - shown.asks[t];
  }
  if (program.table_count()) sum.add(silent * values[program.v()]);
  return sum.sum();
}

static inline Fr balances(const Program& program, const Challenges& drawn, const Fr* values) {
  PoweredSum sum("balance", drawn.powers.data() + program.constraints());
  Fr helpers = Fr::zero();
  for (int group = 0; group < program.groups(); group++) helpers = helpers + values[program.h(group)];
  sum.add(helpers - values[program.ht()]);
  for (int t = 0; t < program.table_count(); t++) sum.add(values[program.h_of(t)] - values[program.ht_of(t)]);
  return sum.sum();
}

}  // namespace OCTET_ARCH
}  // namespace octet
