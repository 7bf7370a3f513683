// Bytes and small integers on their way into the field, one at a time.
#pragma once
#include "lanes_scalar.h"

namespace octet {
namespace OCTET_ARCH {

struct Small {
  typedef Lanes<ScalarPrime> L;
  static constexpr int RECORD = 4;  // words of a table's entry

  // An integer as it is, not in Montgomery form: times unit(x) it is x times the integer.
  static L integers(const int64_t* v) {
    const Fr magnitude{{v[0] < 0 ? 0 - (u64)v[0] : (u64)v[0], 0, 0, 0}};
    return L{v[0] < 0 ? magnitude.negated() : magnitude};
  }
  static L unit(const Fr& x) { return L{x * Fr::montgomery_square()}; }

  static bool any(const int64_t* v) { return v[0] != 0; }
  static void turned(const int64_t* from, size_t, int64_t* to) { to[0] = from[0]; }

  static void pack(const Fr& x, u64* record) { memcpy(record, x.v, 32); }
  // sum over c < count of tables[c][bytes[c][row]].
  static L looked_up(const u64* const* tables, const uint8_t* const* bytes, int count, size_t row) {
    L sum = L::load(tables[0] + 4 * (size_t)bytes[0][row]);
    for (int c = 1; c < count; c++) sum = sum + L::load(tables[c] + 4 * (size_t)bytes[c][row]);
    return sum;
  }
  // The value where the byte is not 0, else 0.
  static L where(const uint8_t* bytes, const L& a) { return bytes[0] ? a : L{Fr::zero()}; }
};

// A field element as a factor of integers in a SmallSum.
struct SmallFactor {
  Small::L unit;

  void set(const Fr& x) { unit = Small::unit(x); }
};

// Sums of integers times field elements, which wider lanes reduce once.
class SmallSum {
 public:
  static constexpr size_t MOST = 256;  // terms

  void add(const int64_t* v, const SmallFactor& factor) { sum_ = sum_ + Small::integers(v) * factor.unit; }
  Small::L settled() const { return sum_; }

 private:
  Small::L sum_{Fr::zero()};
};

}  // namespace OCTET_ARCH
}  // namespace octet
