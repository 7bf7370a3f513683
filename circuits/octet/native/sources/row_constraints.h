// sum_i lambda^i C_i of a row: limb groups, saturation, maximum and queries (octet.md 3.6, 3.7).
//
// The values of a row come carried and below 6q, as two steps from a row's own values leave them. Reductions
// wait for as long as the operands of a product stay below 64 q^2; the bounds are written behind the lines.
#pragma once
#include "row_tables.h"

namespace octet {
namespace OCTET_ARCH {

class RowConstraints {
 public:
  RowConstraints(const Program& program, const RowTables& tables, const Fr& alpha, const Fr& beta, const Fr* powers)
      : p_(program), t_(tables) {
    power_.resize((size_t)p_.constraints());
    for (size_t i = 0; i < power_.size(); i++) power_[i] = Lr::broadcast(powers[i]);
    identity_.resize(p_.tables.size());
    for (size_t f = 0; f < p_.tables.size(); f++)
      identity_[f] = Lr::broadcast(beta * beta * from_signed(p_.tables[f].identity));
    one_ = Lr::broadcast(Fr::one());
    alpha_ = Lr::broadcast(alpha);
    beta_ = Lr::broadcast(beta);
  }

  // Carried and below 32q.
  Lr at(const Lr* v) const {
    Lr sum = group(0, v);                                                                       // 4q
    for (int g = 1; g < p_.groups(); g++) sum = plus(sum, power_[g] * Lr::carried(group(g, v)));  // at most 8 groups: 18q
    sum = plus(sum, v[t_.mix] * v[0]);                                                          // 20q
    sum = plus(sum, v[t_.rest]);                                                                // 26q
    int next = p_.groups() + 3;
    if (p_.slots) {
      Lr product = power_[next++];
      for (int s = 0; s < p_.slots; s++) product = product * Lr::difference(v[p_.d(s)], alpha_);  // 2q * 8q
      sum = plus(sum, product);                                                                 // 28q
    }
    if (!p_.table_count()) return Lr::carried(sum);
    sum = halved(sum);                                                                          // 16q
    const Lr key = Lr::raw_sum(v[0], beta_ * v[t_.value]);                                      // 8q
    Lr silent = one_;
    for (int f = 0; f < p_.table_count(); f++, next += 2) {
      const Lr product = v[t_.table_helper + f] * Lr::carried(Lr::raw_sum(key, identity_[f]));  // 6q * 10q
      const Lr query = Lr::carried(Lr::raw_difference(product, v[t_.query + f], 3));            // 10q
      sum = halved(plus(sum, power_[next] * query));                                            // 16q
      silent = Lr::carried(Lr::raw_difference(silent, v[t_.query + f], 3));                     // 10q
      silent = Lr::reduced(Lr::reduced(Lr::reduced(silent, 3), 2), 1);                          // 2q
    }
    return Lr::carried(plus(sum, power_[next] * (silent * v[t_.value])));
  }

  // The coefficient of X^5 on a line, from the line's steps, which are carried and below 2q.
  Lr leading(const Lr* step) const {
    Lr sum = Lr::broadcast(Fr::zero());
    for (int g = 0; g < p_.groups() && t_.group_size(g) == 4; g++) {
      const Lr* a = step + 4 * g;
      const Lr part = a[0] * a[1] * (a[2] * a[3]) * step[t_.helper(g)];
      sum = g ? sum + power_[g] * part : part;
    }
    if (p_.slots == 5) {
      Lr product = power_[p_.groups() + 3];
      for (int s = 0; s < p_.slots; s++) product = product * step[p_.d(s)];
      sum = sum + product;
    }
    return sum;
  }

 private:
  static inline Lr plus(const Lr& a, const Lr& b) { return Lr::raw_sum(a, b); }
  // From below 32q to below 16q.
  static inline Lr halved(const Lr& a) { return Lr::reduced(Lr::carried(a), 4); }

  // H prod A - sum_i prod_(j != i) A_j of a group of one to four limbs; below 18q, of four limbs below 4q.
  Lr group(int g, const Lr* v) const {
    const Lr* a = v + 4 * g;
    const Lr& helper = v[t_.helper(g)];
    const int size = t_.group_size(g);
    if (size == 1) return Lr::raw_difference(helper * a[0], one_, 1);
    const Lr ab = a[0] * a[1];
    const Lr low = Lr::carried(Lr::raw_difference(helper * ab, Lr::raw_sum(a[0], a[1]), 4));    // 18q
    if (size == 2) return low;
    if (size == 3) return Lr::raw_difference(a[2] * Lr::reduced(halved(low), 3), ab, 1);        // 6q * 8q
    const Lr high = Lr::carried(Lr::raw_sum(a[2], a[3]));                                       // 12q
    return Lr::raw_difference(a[2] * a[3] * low, high * ab, 1);                                 // 2q * 18q
  }

  const Program& p_;
  const RowTables& t_;
  Buffer<Lr> power_, identity_;
  Lr one_, alpha_, beta_;
};

}  // namespace OCTET_ARCH
}  // namespace octet
