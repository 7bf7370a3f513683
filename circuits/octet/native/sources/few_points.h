// Sums of multiples of a few dozen points, as a verifier needs them: shared doublings, four bits at a time.
#pragma once
#include "curve.h"
#include "list.h"

namespace octet {
namespace OCTET_ARCH {

class FewPoints {
 public:
  void add(const Affine& point, const Fr& factor) {
    if (factor.is_zero()) return;
    points_.push(point);
    u64 plain[4];
    factor.to_words(plain);
    factors_.append(plain, 4);
  }

  // False: the sum is infinity.
  bool sum(Affine* out) const {
    const size_t n = points_.size();
    List<Affine> multiples = multiples_of_each();
    Jacobian total = Jacobian::infinity();
    for (int nibble = 63; nibble >= 0; nibble--) {
      for (int i = 0; i < 4; i++) total = doubled(total);
      for (size_t k = 0; k < n; k++) {
        const int digit = (int)(factors_[4 * k + nibble / 16] >> (4 * (nibble % 16))) & 15;
        if (digit) total = added(total, multiples[MULTIPLES * k + digit - 1]);
      }
    }
    if (total.is_infinity()) return false;
    *out = affine(total);
    return true;
  }

 private:
  static constexpr size_t MULTIPLES = 15;

  // P, 2P .. 15P, none of them infinity since the order is a large prime; one inversion for all.
  List<Affine> multiples_of_each() const {
    List<Jacobian> found;
    for (const Affine& p : points_) {
      Jacobian multiple = Jacobian::from(p);
      for (size_t k = 0; k < MULTIPLES; k++) {
        if (k) multiple = k == 1 ? doubled(multiple) : added(multiple, p);
        found.push(multiple);
      }
    }
    List<Affine> multiples(found.size());
    affine_all(found.data(), found.size(), multiples.data());
    return multiples;
  }

  List<Affine> points_;
  List<u64> factors_;
};

}  // namespace OCTET_ARCH
}  // namespace octet
