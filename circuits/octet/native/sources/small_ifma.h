// Bytes and small integers on their way into the lanes of AVX512-IFMA.
#pragma once
#include "lanes_ifma.h"

namespace octet {
namespace OCTET_ARCH {

struct Small {
  typedef Lanes<ScalarPrime> L;
  static constexpr int RECORD = 8;  // words of a table's entry: five limbs in a line of the cache

  // Integers as they are, not in Montgomery form, below 4q: times unit(x) they are x times the integer.
  static inline __attribute__((always_inline)) L integers(const int64_t* v) {
    const __m512i x = _mm512_loadu_si512(v);
    L r;
    r.l[0] = _mm512_add_epi64(_mm512_and_si512(x, L::mask()), L::multiple(0, 1));
    r.l[1] = _mm512_add_epi64(_mm512_srai_epi64(x, 52), L::multiple(1, 1));
    for (int j = 2; j < 5; j++) r.l[j] = L::multiple(j, 1);
    return L::carried(r);
  }
  static L unit(const Fr& x) {
    static const Fr radix = [] {
      Fr all = Fr::one();
      for (int bit = 0; bit < 260; bit++) all = all + all;
      return all;
    }();
    return L::broadcast(x * radix);
  }

  static void pack(const Fr& x, u64* record) {
    L::pack(x, record);
    record[5] = record[6] = record[7] = 0;
  }
  // sum over c < count of tables[c][bytes[c][row + k]] in lane k; count is at most 32.
  static inline __attribute__((always_inline)) L looked_up(const u64* const* tables, const uint8_t* const* bytes,
                                                          int count, size_t row) {
    __m512i sum[8], column[8];
#pragma GCC unroll 8
    for (int k = 0; k < 8; k++) sum[k] = _mm512_load_si512(tables[0] + 8 * (size_t)bytes[0][row + k]);
    for (int c = 1; c < count; c++) {
#pragma GCC unroll 8
      for (int k = 0; k < 8; k++)
        sum[k] = _mm512_add_epi64(sum[k], _mm512_load_si512(tables[c] + 8 * (size_t)bytes[c][row + k]));
    }
    L::transpose(sum, column);
    L r;
    for (int j = 0; j < 5; j++) r.l[j] = column[j];
    if (count == 1) return r;
    r = L::carried(r);  // entries are below q
    if (count > 16) r = L::reduced(r, 4);
    if (count > 8) r = L::reduced(r, 3);
    if (count > 4) r = L::reduced(r, 2);
    return L::reduced(r, 1);
  }
  // The lanes whose byte is not 0, and 0 in the others.
  static inline __attribute__((always_inline)) L where(const uint8_t* bytes, const L& a) {
    const __m512i i = _mm512_cvtepu8_epi64(_mm_loadl_epi64((const __m128i*)bytes));
    const __mmask8 m = _mm512_test_epi64_mask(i, i);
    L r;
    for (int j = 0; j < 5; j++) r.l[j] = _mm512_maskz_mov_epi64(m, a.l[j]);
    return r;
  }
};

}  // namespace OCTET_ARCH
}  // namespace octet
