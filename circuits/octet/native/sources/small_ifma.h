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

  static inline __attribute__((always_inline)) bool any(const int64_t* v) {
    const __m512i x = _mm512_loadu_si512(v);
    return _mm512_test_epi64_mask(x, x) != 0;
  }
  // to[8 i + k] = from[stride k + i]
  static inline __attribute__((always_inline)) void turned(const int64_t* from, size_t stride, int64_t* to) {
    __m512i row[8], column[8];
#pragma GCC unroll 8
    for (int k = 0; k < 8; k++) row[k] = _mm512_loadu_si512(from + stride * k);
    L::transpose(row, column);
#pragma GCC unroll 8
    for (int k = 0; k < 8; k++) _mm512_storeu_si512(to + 8 * k, column[k]);
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

// A field element as a factor of integers in a SmallSum.
struct SmallFactor {
  u64 l[5];

  void set(const Fr& x) {
    static const Fr radix = Fr{{0, (u64)1 << 40, 0, 0}} * Fr::montgomery_square();  // 2^104
    Small::L::pack(x * radix, l);
  }
};

// Sums of integers times field elements: ten multiply-adds each, as an integer is one limb, and nothing is
// reduced before the end. Integers beyond 52 bits take twice as many.
class SmallSum {
 public:
  static constexpr size_t MOST = 256;  // terms: each moves a limb by less than 2^54

  SmallSum() {
    for (int j = 0; j < 7; j++) t_[j] = _mm512_setzero_si512();
  }

  // The low limb as it is, less 2^52 where the sign says so, and 2^52 times what that leaves out.
  inline __attribute__((always_inline)) void add(const int64_t* v, const SmallFactor& factor) {
    const __m512i x = _mm512_loadu_si512(v);
    const __m512i rest = _mm512_sub_epi64(_mm512_srai_epi64(x, 52), _mm512_srai_epi64(x, 63));
    add_limb<0>(x, factor);
    if (__builtin_expect(_mm512_test_epi64_mask(rest, rest) != 0, 0)) add_limb<1>(rest, factor);
  }

  // Below 2q: two limbs of Montgomery's reduction, which the factors have in them.
  inline __attribute__((always_inline)) Small::L settled() const {
    const __m512i zero = _mm512_setzero_si512();
    const __m512i ni = _mm512_set1_epi64((long long)(ScalarPrime::minus_inverse & MASK52));
    __m512i t[7];
#pragma GCC unroll 7
    for (int j = 0; j < 7; j++) t[j] = t_[j];
#pragma GCC unroll 2
    for (int i = 0; i < 2; i++) {
      const __m512i m = _mm512_madd52lo_epu64(zero, t[i], ni);
#pragma GCC unroll 5
      for (int j = 0; j < 5; j++) {
        t[i + j] = _mm512_madd52lo_epu64(t[i + j], Small::L::multiple(j, 0), m);
        t[i + j + 1] = _mm512_madd52hi_epu64(t[i + j + 1], Small::L::multiple(j, 0), m);
      }
      t[i + 1] = _mm512_add_epi64(t[i + 1], _mm512_srai_epi64(t[i], 52));
    }
    Small::L r;  // between -q / 2^30 and q + q / 2^30
#pragma GCC unroll 5
    for (int j = 0; j < 5; j++) r.l[j] = _mm512_add_epi64(t[j + 2], Small::L::multiple(j, 0));
    return Small::L::reduced(Small::L::carried(r), 0);
  }

 private:
  template <int AT>
  inline __attribute__((always_inline)) void add_limb(const __m512i& x, const SmallFactor& factor) {
    const __mmask8 negative = _mm512_movepi64_mask(x);
#pragma GCC unroll 5
    for (int j = 0; j < 5; j++) {
      const __m512i f = _mm512_set1_epi64((long long)factor.l[j]);
      t_[AT + j] = _mm512_madd52lo_epu64(t_[AT + j], f, x);
      t_[AT + j + 1] = _mm512_madd52hi_epu64(t_[AT + j + 1], f, x);
      t_[AT + j + 1] = _mm512_mask_sub_epi64(t_[AT + j + 1], negative, t_[AT + j + 1], f);
    }
  }

  __m512i t_[7];
};

}  // namespace OCTET_ARCH
}  // namespace octet
