// The rows of one lookup table in the first sum check (octet.md 3.7; 3.0 item 1):
//
//     lambda^i eq(tau, x) (HT(x) (alpha + u(x) + beta T(x) + c) - sel(x) M(x))  -  lambda^b HT(x)
//
// HT, M and sel are 0 but on the table's 256 rows, so that no other row has a share. Once their low eight
// variables are bound the segment is a single row, whose neighbour on the way up is 0 but for T.
#pragma once
#include "pair_sum.h"
#include "row_sum.h"

namespace octet {
namespace OCTET_ARCH {

class TableSegment {
 public:
  // offset: first row; counts: M on the 256 rows; inverses: 1 / key there; key: T's column, or none.
  TableSegment(int nu, u64 offset, const int64_t* counts, const Fr* inverses, const Fr& constant, const Fr& beta,
               const FoldedVector* key, const Fr* tau, const Fr& power, const Fr& balance)
      : nu_(nu), offset_(offset), beta_(beta), key_(key), tau_(tau), power_(power), balance_(balance) {
    Fr u = constant;
    for (int i = 0; i < LIMB_TABLE; i++, u = u + Fr::one()) {
      m_.push(Fr::from_int((u64)counts[i]));
      ht_.push(m_[i] * inverses[i]);
      u_.push(u);
    }
    eq_ = eq_table(tau + 1, 7);
    const Fr high = eq_index(offset >> 8, tau + 8, nu - 8);
    for (Fr& e : eq_) e = e * high;
  }

  // Binds a variable; T's column is bound already.
  void fold(const Fr& r) {
    const Fr one = Fr::one();
    if (m_.size() > 1) {
      halve(m_, r);
      halve(ht_, r);
      halve(u_, r);
      if (eq_.size() > 1) {
        List<Fr> sums;
        for (size_t i = 0; i < eq_.size(); i += 2) sums.push(eq_[i] + eq_[i + 1]);
        eq_ = static_cast<List<Fr>&&>(sums);
      }
    } else {
      const Fr factor = offset_ >> round_ & 1 ? r : one - r;
      m_[0] = m_[0] * factor;
      ht_[0] = ht_[0] * factor;
      selected_ = selected_ * factor;
    }
    round_++;
  }

  // Adds its share of the eq-free polynomial, as coefficients, and of the balance.
  void add_round(Fr* coefficients, Quadratic& rest) const {
    Fr c0 = Fr::zero(), c1 = c0, c2 = c0, even = c0;
    if (m_.size() > 1) {
      for (size_t i = 0; 2 * i < m_.size(); i++) {
        const Fr h = ht_[2 * i], g = ht_[2 * i + 1], u = key_at(2 * i) + u_[2 * i], v = key_at(2 * i + 1) + u_[2 * i + 1];
        const Fr a = h * u, b = (g - h) * (v - u), m = m_[2 * i];
        c0 = c0 + eq_[i] * (a - m);
        c1 = c1 + eq_[i] * (g * v - a - b - (m_[2 * i + 1] - m));
        c2 = c2 + eq_[i] * b;
        even = even + h;
      }
    } else {
      // (v, 0) is v (1 - X), (0, v) is v X.
      const bool upper = offset_ >> round_ & 1;
      const Fr zero = Fr::zero(), h = upper ? zero : ht_[0], g = upper ? ht_[0] : zero;
      const Fr u = u_[0] + neighbour(0), v = u_[0] + neighbour(1), count = selected_ * m_[0];
      const Fr weight = eq_index(offset_ >> (round_ + 1), tau_ + round_ + 1, nu_ - round_ - 1);
      const Fr a = h * u, b = (g - h) * (v - u);
      c0 = weight * (a - (upper ? zero : count));
      c1 = weight * (g * v - a - b + (upper ? zero : count.doubled()));
      c2 = weight * (b - count);
      even = h;
    }
    coefficients[0] = coefficients[0] + power_ * c0;
    coefficients[1] = coefficients[1] + power_ * c1;
    coefficients[2] = coefficients[2] + power_ * c2;
    rest.constant = rest.constant - balance_ * even;
  }

  // After the last fold: M's and HT's columns at the point.
  const Fr& multiplicity() const { return m_[0]; }
  const Fr& helper() const { return ht_[0]; }

 private:
  static void halve(List<Fr>& values, const Fr& r) {
    List<Fr> half;
    half.reserve(values.size() / 2);
    for (size_t i = 0; i < values.size(); i += 2) half.push(values[i] + r * (values[i + 1] - values[i]));
    values = static_cast<List<Fr>&&>(half);
  }
  Fr key_at(size_t i) const { return key_ ? beta_ * key_->at((size_t)(offset_ >> round_) + i) : Fr::zero(); }
  Fr neighbour(size_t bit) const {
    return key_ ? beta_ * key_->at(((size_t)(offset_ >> round_) & ~(size_t)1) + bit) : Fr::zero();
  }

  int nu_, round_ = 0;
  u64 offset_;
  Fr beta_;
  const FoldedVector* key_;
  const Fr* tau_;
  Fr power_, balance_, selected_ = Fr::one();
  List<Fr> ht_, m_, u_, eq_;
};

}  // namespace OCTET_ARCH
}  // namespace octet
