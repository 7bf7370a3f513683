// Eight elements at once with AVX512-IFMA: 5 words of 52 bits each, Montgomery form with R = 2^260.
//
// Values are kept below 2q with limbs below 2^52 (the top one takes what is left); `difference` may
// return up to 4q. A product of operands below 8q is below 2q: 64 q^2 / 2^260 + q < 2q, as q < 2^254.
// Only canonical values leave the library, so that this path and the scalar one agree to the bit.
#pragma once
#include <immintrin.h>
#include "field.h"

namespace octet {
namespace OCTET_ARCH {

static constexpr u64 MASK52 = ((u64)1 << 52) - 1;

static inline void split52(const u64* w, u64* l) {
  l[0] = w[0] & MASK52;
  l[1] = (w[0] >> 52 | w[1] << 12) & MASK52;
  l[2] = (w[1] >> 40 | w[2] << 24) & MASK52;
  l[3] = (w[2] >> 28 | w[3] << 36) & MASK52;
  l[4] = w[3] >> 16;
}

static inline void join52(const u64* l, u64* w) {
  w[0] = l[0] | l[1] << 52;
  w[1] = l[1] >> 12 | l[2] << 40;
  w[2] = l[2] >> 24 | l[3] << 28;
  w[3] = l[3] >> 36 | l[4] << 16;
}

template <class P>
struct Modulus52 {
  u64 q[5], q2[5], minus_inverse;
  Field<P> sixteen, sixteenth;  // 2^260 / 2^256, between the two Montgomery forms
  Modulus52() {
    u64 w[4] = {P::q[0], P::q[1], P::q[2], P::q[3]};
    split52(w, q);
    for (int i = 3; i > 0; i--) w[i] = w[i] << 1 | w[i - 1] >> 63;
    w[0] <<= 1;
    split52(w, q2);
    minus_inverse = P::minus_inverse & MASK52;
    sixteen = Field<P>::from_int(16);
    sixteenth = sixteen.inverse();
  }
  static const Modulus52& get() {
    static const Modulus52 m;
    return m;
  }
};

template <class P>
struct Lanes {
  typedef Field<P> F;
  static constexpr int WIDTH = 8;
  static constexpr int WORDS = 5;
  __m512i l[5];

  static __m512i mask() { return _mm512_set1_epi64(MASK52); }

  static constexpr u64 limb(int i, int shift) {  // limb i of q * 2^shift
    const u64 l[6] = {0,
                      P::q[0] & MASK52,
                      (P::q[0] >> 52 | P::q[1] << 12) & MASK52,
                      (P::q[1] >> 40 | P::q[2] << 24) & MASK52,
                      (P::q[2] >> 28 | P::q[3] << 36) & MASK52,
                      P::q[3] >> 16};
    const u64 both = l[i + 1] << shift | (shift ? l[i] >> (52 - shift) : 0);
    return i < 4 ? both & MASK52 : both;
  }
  static __m512i multiple(int i, int shift) { return _mm512_set1_epi64((long long)limb(i, shift)); }

  static inline __attribute__((always_inline)) Lanes carried(const Lanes& a) {
    Lanes r;
    __m512i c = _mm512_setzero_si512();
#pragma GCC unroll 5
    for (int j = 0; j < 5; j++) {
      const __m512i s = _mm512_add_epi64(a.l[j], c);
      r.l[j] = j < 4 ? _mm512_and_si512(s, mask()) : s;
      c = _mm512_srai_epi64(s, 52);
    }
    return r;
  }

  // a - 2^shift q where that is not negative: from below 2^(shift + 1) q to below 2^shift q.
  static inline __attribute__((always_inline)) Lanes reduced(const Lanes& a, int shift) {
    Lanes s;
#pragma GCC unroll 5
    for (int j = 0; j < 5; j++) s.l[j] = _mm512_sub_epi64(a.l[j], multiple(j, shift));
    s = carried(s);
    const __mmask8 negative = _mm512_movepi64_mask(s.l[4]);
#pragma GCC unroll 5
    for (int j = 0; j < 5; j++) s.l[j] = _mm512_mask_mov_epi64(s.l[j], negative, a.l[j]);
    return s;
  }
  static inline __attribute__((always_inline)) Lanes halved_range(const Lanes& a) { return reduced(a, 1); }

  // Sums and differences whose carries and reductions wait; row_program.h counts their ranges.
  static constexpr bool WAITS = true;
  static inline __attribute__((always_inline)) Lanes raw_sum(const Lanes& a, const Lanes& b) {
    Lanes r;
#pragma GCC unroll 5
    for (int j = 0; j < 5; j++) r.l[j] = _mm512_add_epi64(a.l[j], b.l[j]);
    return r;
  }
  static inline __attribute__((always_inline)) Lanes raw_difference(const Lanes& a, const Lanes& b, int shift) {
    Lanes r;
#pragma GCC unroll 5
    for (int j = 0; j < 5; j++) r.l[j] = _mm512_add_epi64(_mm512_sub_epi64(a.l[j], b.l[j]), multiple(j, shift));
    return r;
  }

  static inline __attribute__((always_inline)) Lanes raw_product(const Lanes& a, const Lanes& b) {
    const __m512i zero = _mm512_setzero_si512();
    const __m512i ni = _mm512_set1_epi64((long long)(P::minus_inverse & MASK52));
    __m512i q[5], t[5];
#pragma GCC unroll 5
    for (int j = 0; j < 5; j++) {
      q[j] = _mm512_set1_epi64((long long)limb(j, 0));
      t[j] = zero;
    }
#pragma GCC unroll 5
    for (int i = 0; i < 5; i++) {
#pragma GCC unroll 5
      for (int j = 0; j < 5; j++) t[j] = _mm512_madd52lo_epu64(t[j], a.l[j], b.l[i]);
      const __m512i m = _mm512_madd52lo_epu64(zero, t[0], ni);
#pragma GCC unroll 5
      for (int j = 0; j < 5; j++) t[j] = _mm512_madd52lo_epu64(t[j], q[j], m);
      const __m512i c = _mm512_srli_epi64(t[0], 52);  // the low 52 bits are zero now
      t[0] = _mm512_add_epi64(t[1], c);
      t[1] = t[2];
      t[2] = t[3];
      t[3] = t[4];
      t[4] = zero;
#pragma GCC unroll 5
      for (int j = 0; j < 5; j++) t[j] = _mm512_madd52hi_epu64(t[j], a.l[j], b.l[i]);
#pragma GCC unroll 5
      for (int j = 0; j < 5; j++) t[j] = _mm512_madd52hi_epu64(t[j], q[j], m);
    }
    Lanes r;
#pragma GCC unroll 5
    for (int j = 0; j < 5; j++) r.l[j] = t[j];
    return r;
  }

  friend inline __attribute__((always_inline)) Lanes operator*(const Lanes& a, const Lanes& b) {
    return carried(raw_product(a, b));
  }

  // For coordinates of points, which stay below 2.3q: what lies between saves a carry and a reduction each.
  // a - b as a factor: below 6q, carried.
  static inline __attribute__((always_inline)) Lanes distance(const Lanes& a, const Lanes& b) {
    Lanes r;
#pragma GCC unroll 5
    for (int j = 0; j < 5; j++) r.l[j] = _mm512_add_epi64(_mm512_sub_epi64(a.l[j], b.l[j]), times(3, j));
    return carried(r);
  }
  // a - b - c for a raw product a, and a - b for b up to 3q; below 2.3q.
  static inline __attribute__((always_inline)) Lanes less_two(const Lanes& a, const Lanes& b, const Lanes& c) {
    Lanes r;
#pragma GCC unroll 5
    for (int j = 0; j < 5; j++)
      r.l[j] = _mm512_add_epi64(_mm512_sub_epi64(_mm512_sub_epi64(a.l[j], b.l[j]), c.l[j]), times(5, j));
    return few_quotients(r);
  }
  static inline __attribute__((always_inline)) Lanes less_one(const Lanes& a, const Lanes& b) {
    Lanes r;
#pragma GCC unroll 5
    for (int j = 0; j < 5; j++) r.l[j] = _mm512_add_epi64(_mm512_sub_epi64(a.l[j], b.l[j]), times(3, j));
    return few_quotients(r);
  }
  // Limb j of k q, not carried.
  static __m512i times(u64 k, int j) { return _mm512_set1_epi64((long long)(k * limb(j, 0))); }
  // From below 6.2q, limbs not carried, to below 2.3q. n 2^254 holds 0, 1, 2, 3, 5 q for n = 0 .. 4, with so
  // much to spare that a carry that is still to come changes nothing; a highest limb of -1 counts as 0.
  static inline __attribute__((always_inline)) Lanes few_quotients(const Lanes& a) {
    const __m512i top = _mm512_srli_epi64(a.l[4], 46);
    Lanes r;
#pragma GCC unroll 5
    for (int j = 0; j < 5; j++) {
      const long long q = (long long)limb(j, 0);
      const __m512i table = _mm512_setr_epi64(0, q, 2 * q, 3 * q, 5 * q, 0, 0, 0);
      r.l[j] = _mm512_sub_epi64(a.l[j], _mm512_permutexvar_epi64(top, table));
    }
    return carried(r);
  }

  friend inline __attribute__((always_inline)) Lanes operator+(const Lanes& a, const Lanes& b) {
    Lanes r;
#pragma GCC unroll 5
    for (int j = 0; j < 5; j++) r.l[j] = _mm512_add_epi64(a.l[j], b.l[j]);
    return halved_range(carried(r));
  }
  static inline __attribute__((always_inline)) Lanes difference(const Lanes& a, const Lanes& b) {
    Lanes r;
#pragma GCC unroll 5
    for (int j = 0; j < 5; j++) r.l[j] = _mm512_add_epi64(_mm512_sub_epi64(a.l[j], b.l[j]), multiple(j, 1));
    return carried(r);
  }
  friend inline __attribute__((always_inline)) Lanes operator-(const Lanes& a, const Lanes& b) {
    return halved_range(difference(a, b));
  }

  static void pack(const F& x, u64* words) {
    const F t = x * Modulus52<P>::get().sixteen;
    split52(t.v, words);
  }
  // Below 4q, so at most three subtractions; the result is canonical.
  static F unpack(const u64* words) {
    u64 w[4];
    join52(words, w);
    F::make_canonical(w);
    F r;
    memcpy(r.v, w, 32);
    return r * Modulus52<P>::get().sixteenth;
  }

  static Lanes broadcast(const F& x) {
    u64 w[5];
    pack(x, w);
    Lanes r;
    for (int j = 0; j < 5; j++) r.l[j] = _mm512_set1_epi64((long long)w[j]);
    return r;
  }
  static inline __attribute__((always_inline)) Lanes load(const u64* block) {
    Lanes r;
    for (int j = 0; j < 5; j++) r.l[j] = _mm512_loadu_si512(block + 8 * j);
    return r;
  }
  inline __attribute__((always_inline)) void store(u64* block) const {
    for (int j = 0; j < 5; j++) _mm512_storeu_si512(block + 8 * j, l[j]);
  }
  static inline __attribute__((always_inline)) void load_pairs(const u64* block, Lanes& even, Lanes& odd) {
    const __m512i e = _mm512_setr_epi64(0, 2, 4, 6, 8, 10, 12, 14);
    const __m512i o = _mm512_setr_epi64(1, 3, 5, 7, 9, 11, 13, 15);
    for (int j = 0; j < 5; j++) {
      const __m512i a = _mm512_loadu_si512(block + 8 * j);
      const __m512i b = _mm512_loadu_si512(block + 40 + 8 * j);
      even.l[j] = _mm512_permutex2var_epi64(a, e, b);
      odd.l[j] = _mm512_permutex2var_epi64(a, o, b);
    }
  }
  static void put(u64* table, size_t i, const F& x) {
    u64 w[5];
    pack(x, w);
    for (int j = 0; j < 5; j++) table[(i >> 3) * 40 + 8 * j + (i & 7)] = w[j];
  }
  static F get(const u64* table, size_t i) {
    u64 w[5];
    for (int j = 0; j < 5; j++) w[j] = table[(i >> 3) * 40 + 8 * j + (i & 7)];
    return unpack(w);
  }
  Lanes first(int count) const {
    const __mmask8 m = count >= 8 ? 0xff : (__mmask8)((1u << count) - 1);
    Lanes r;
    for (int j = 0; j < 5; j++) r.l[j] = _mm512_maskz_mov_epi64(m, l[j]);
    return r;
  }
  F lane(int k) const {
    alignas(64) u64 block[40];
    store(block);
    return get(block, (size_t)k);
  }
  void set_lane(int k, const F& x) {
    alignas(64) u64 block[40];
    store(block);
    put(block, (size_t)k, x);
    *this = load(block);
  }
  // All elements, which are below 2q.
  void to_fields(F* out) const {
    const Lanes r = reduced(*this * broadcast(Modulus52<P>::get().sixteenth), 0);
    __m512i w[4];
    r.join(w);
    alignas(64) u64 words[4][8];
    for (int i = 0; i < 4; i++) _mm512_store_si512(words[i], w[i]);
    for (int k = 0; k < 8; k++)
      for (int i = 0; i < 4; i++) out[k].v[i] = words[i][k];
  }
  F total() const {
    alignas(64) u64 block[40];
    store(block);
    F s = F::zero();
    for (size_t k = 0; k < 8; k++) s = s + get(block, k);
    return s;
  }

  // Points: records of 8 words, x and y below 2.3q in the form of these lanes, so that a record is one line of
  // the cache; eight of them are turned from rows into columns. The highest bit of an index asks for the
  // opposite point.
  static inline __attribute__((always_inline)) __m512i low_pairs(__m512i a, __m512i b) {
    return _mm512_shuffle_i64x2(a, b, 0x88);
  }
  static inline __attribute__((always_inline)) __m512i high_pairs(__m512i a, __m512i b) {
    return _mm512_shuffle_i64x2(a, b, 0xdd);
  }
  static inline __attribute__((always_inline)) const u64* record(const u64* base, uint32_t index) {
    return base + 8 * (size_t)(index & 0x7fffffff);
  }
  // Four words of 64 bits to five of 52, and back.
  static inline __attribute__((always_inline)) Lanes split(const __m512i* w) {
    const auto middle = [](__m512i low, int right, __m512i high, int left) __attribute__((always_inline)) {
      return _mm512_and_si512(_mm512_or_si512(_mm512_srli_epi64(low, right), _mm512_slli_epi64(high, left)), mask());
    };
    Lanes r;
    r.l[0] = _mm512_and_si512(w[0], mask());
    r.l[1] = middle(w[0], 52, w[1], 12);
    r.l[2] = middle(w[1], 40, w[2], 24);
    r.l[3] = middle(w[2], 28, w[3], 36);
    r.l[4] = _mm512_srli_epi64(w[3], 16);
    return r;
  }
  inline __attribute__((always_inline)) void join(__m512i* w) const {
    w[0] = _mm512_or_si512(l[0], _mm512_slli_epi64(l[1], 52));
    w[1] = _mm512_or_si512(_mm512_srli_epi64(l[1], 12), _mm512_slli_epi64(l[2], 40));
    w[2] = _mm512_or_si512(_mm512_srli_epi64(l[2], 24), _mm512_slli_epi64(l[3], 28));
    w[3] = _mm512_or_si512(_mm512_srli_epi64(l[3], 36), _mm512_slli_epi64(l[4], 16));
  }
  static inline __attribute__((always_inline)) void transpose(const __m512i* row, __m512i* column) {
    __m512i even[4], odd[4];
#pragma GCC unroll 4
    for (int k = 0; k < 4; k++) {
      even[k] = _mm512_unpacklo_epi64(row[2 * k], row[2 * k + 1]);
      odd[k] = _mm512_unpackhi_epi64(row[2 * k], row[2 * k + 1]);
    }
#pragma GCC unroll 2
    for (int j = 0; j < 2; j++) {
      const __m512i* t = j ? odd : even;
      const __m512i a = low_pairs(t[0], t[1]), b = low_pairs(t[2], t[3]);
      const __m512i c = high_pairs(t[0], t[1]), d = high_pairs(t[2], t[3]);
      column[j] = low_pairs(a, b);
      column[4 + j] = high_pairs(a, b);
      column[2 + j] = low_pairs(c, d);
      column[6 + j] = high_pairs(c, d);
    }
  }
  static inline __attribute__((always_inline)) Lanes load_abscissas(const u64* base, const uint32_t* index) {
    __m512i row[4], w[4];
#pragma GCC unroll 4
    for (int k = 0; k < 4; k++) {
      const int at = (k & 1) + 4 * (k >> 1);  // rows 0 2, 1 3, 4 6, 5 7, so that columns come out in order
      const __m256i low = _mm256_loadu_si256((const __m256i*)record(base, index[at]));
      row[k] = _mm512_inserti64x4(_mm512_castsi256_si512(low),
                                  _mm256_loadu_si256((const __m256i*)record(base, index[at + 2])), 1);
    }
    const __m512i a = _mm512_unpacklo_epi64(row[0], row[1]), b = _mm512_unpacklo_epi64(row[2], row[3]);
    const __m512i c = _mm512_unpackhi_epi64(row[0], row[1]), d = _mm512_unpackhi_epi64(row[2], row[3]);
    w[0] = low_pairs(a, b);
    w[2] = high_pairs(a, b);
    w[1] = low_pairs(c, d);
    w[3] = high_pairs(c, d);
    return split(w);
  }
  template <bool SIGNED>
  static inline __attribute__((always_inline)) void load_points(const u64* base, const uint32_t* index, Lanes& x,
                                                               Lanes& y) {
    __m512i row[8], w[8];
#pragma GCC unroll 8
    for (int k = 0; k < 8; k++) row[k] = _mm512_loadu_si512(record(base, index[k]));
    transpose(row, w);
    x = split(w);
    y = split(w + 4);
    if (SIGNED) {
      const __mmask8 opposite = _mm256_movepi32_mask(_mm256_loadu_si256((const __m256i*)index));
      const Lanes n = distance(zero(), y);  // up to 3q
#pragma GCC unroll 5
      for (int j = 0; j < 5; j++) y.l[j] = _mm512_mask_mov_epi64(y.l[j], opposite, n.l[j]);
    }
  }
  static inline __attribute__((always_inline)) void store_points(u64* base, const uint32_t* index, const Lanes& x,
                                                                const Lanes& y) {
    __m512i w[8], row[8];
    x.join(w);
    y.join(w + 4);
    transpose(w, row);
#pragma GCC unroll 8
    for (int k = 0; k < 8; k++) _mm512_storeu_si512(base + 8 * (size_t)index[k], row[k]);
  }
  static Lanes zero() {
    Lanes r;
    for (int j = 0; j < 5; j++) r.l[j] = _mm512_setzero_si512();
    return r;
  }
  // One coordinate of a stored point.
  static void pack_word4(const F& x, u64* words) {
    const F t = x * Modulus52<P>::get().sixteen;
    memcpy(words, t.v, 32);
  }
  static F unpack_word4(const u64* words) {
    u64 limbs[5];
    split52(words, limbs);
    return unpack(limbs);
  }
  static void negate_word4(u64* words) { pack_word4(unpack_word4(words).negated(), words); }
};

}  // namespace OCTET_ARCH
}  // namespace octet
