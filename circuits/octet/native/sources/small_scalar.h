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

}  // namespace OCTET_ARCH
}  // namespace octet
