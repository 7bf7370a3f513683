// Inverses modulo a prime by the binary Euclidean algorithm in batches of 31 steps (Pornin, "Optimized
// binary GCD for modular inversion", eprint 2020/972, algorithm 2), stopped as soon as it is done.
//
// The 31 steps are found on 64-bit approximations and applied as one matrix of factors below 2^31 to the
// two numbers (exactly) and to their two cofactors (modulo the prime).
#pragma once
#include <stdint.h>

namespace octet {
namespace OCTET_ARCH {

typedef __int128 i128;

static inline int bit_length(uint64_t hi) { return hi ? 64 - __builtin_clzll(hi) : 0; }

// The low 31 bits and the 33 bits below position n of a number of four words; n is 64 or more.
static inline uint64_t approximate(const uint64_t* a, int n) {
  const int low = n - 33, word = low / 64, shift = low % 64;
  uint64_t top = a[word] >> shift;
  if (shift > 31 && word < 3) top |= a[word + 1] << (64 - shift);
  return (top << 31) | (a[0] & 0x7fffffff);
}

// t = f a + g b, five words in two's complement.
static inline void combine(const uint64_t* a, const uint64_t* b, int64_t f, int64_t g, uint64_t* t) {
  // A negative factor taken as unsigned is 2^64 too large, and so much of the number is taken off again.
  const uint64_t below_f = f < 0 ? ~(uint64_t)0 : 0, below_g = g < 0 ? ~(uint64_t)0 : 0;
  i128 carry = 0;
  for (int i = 0; i < 4; i++) {
    const unsigned __int128 left = (unsigned __int128)a[i] * (uint64_t)f - ((unsigned __int128)(a[i] & below_f) << 64);
    const unsigned __int128 right = (unsigned __int128)b[i] * (uint64_t)g - ((unsigned __int128)(b[i] & below_g) << 64);
    const i128 sum = (i128)left + (i128)right + carry;
    t[i] = (uint64_t)sum;
    carry = sum >> 64;
  }
  t[4] = (uint64_t)carry;
}

static inline void shift31(uint64_t* t, uint64_t* out) {
  for (int i = 0; i < 4; i++) out[i] = t[i] >> 31 | t[i + 1] << 33;
}

// Cofactors: (f u + g v) / 2^31 modulo q, in [0, q).
template <class P>
static inline void combine_modulo(const uint64_t* u, const uint64_t* v, int64_t f, int64_t g, uint64_t* out) {
  uint64_t t[5];
  combine(u, v, f, g, t);
  const uint64_t k = t[0] * P::minus_inverse & 0x7fffffff;
  unsigned __int128 carry = 0;
  for (int i = 0; i < 4; i++) {
    carry += (unsigned __int128)P::q[i] * k + t[i];
    t[i] = (uint64_t)carry;
    carry >>= 64;
  }
  t[4] += (uint64_t)carry;
  const bool negative = t[4] >> 63;
  shift31(t, out);
  // In (-q, 2q).
  uint64_t s[4], borrow = 0;
  if (negative) {
    carry = 0;
    for (int i = 0; i < 4; i++) {
      carry += (unsigned __int128)out[i] + P::q[i];
      out[i] = (uint64_t)carry;
      carry >>= 64;
    }
    return;
  }
  for (int i = 0; i < 4; i++) {
    const unsigned __int128 d = (unsigned __int128)out[i] - P::q[i] - borrow;
    s[i] = (uint64_t)d;
    borrow = (uint64_t)(d >> 64) & 1;
  }
  if (!borrow)
    for (int i = 0; i < 4; i++) out[i] = s[i];
}

// out = in^-1 mod q for plain numbers below q; 0 for 0.
template <class P>
static void invert_plain(const uint64_t* in, uint64_t* out) {
  uint64_t a[4], b[4], u[4] = {1, 0, 0, 0}, v[4] = {0, 0, 0, 0};
  for (int i = 0; i < 4; i++) {
    a[i] = in[i];
    b[i] = P::q[i];
  }
  while (a[0] | a[1] | a[2] | a[3]) {
    int word = 3;
    while (word > 0 && !(a[word] | b[word])) word--;
    const int n = 64 * word + bit_length(a[word] | b[word]);
    uint64_t x = n > 64 ? approximate(a, n) : a[0], y = n > 64 ? approximate(b, n) : b[0];
    int64_t f0 = 1, g0 = 0, f1 = 0, g1 = 1;
    for (int i = 0; i < 31; i++) {
      // Without branches: which way a step goes is a coin's toss.
      const uint64_t odd = 0 - (x & 1);
      const uint64_t swap = odd & (0 - (uint64_t)(x < y));
      const uint64_t dxy = (x ^ y) & swap;
      x ^= dxy;
      y ^= dxy;
      const int64_t df = (f0 ^ f1) & (int64_t)swap, dg = (g0 ^ g1) & (int64_t)swap;
      f0 ^= df;
      f1 ^= df;
      g0 ^= dg;
      g1 ^= dg;
      x -= y & odd;
      f0 -= f1 & (int64_t)odd;
      g0 -= g1 & (int64_t)odd;
      x >>= 1;
      f1 *= 2;
      g1 *= 2;
    }
    uint64_t s[5], t[5], w[4];
    combine(a, b, f0, g0, s);
    combine(a, b, f1, g1, t);
    // An approximation can err in the sign of a difference; both then change theirs.
    if (s[4] >> 63) {
      f0 = -f0;
      g0 = -g0;
      combine(a, b, f0, g0, s);
    }
    if (t[4] >> 63) {
      f1 = -f1;
      g1 = -g1;
      combine(a, b, f1, g1, t);
    }
    shift31(s, a);
    shift31(t, b);
    combine_modulo<P>(u, v, f0, g0, w);
    combine_modulo<P>(u, v, f1, g1, v);
    for (int i = 0; i < 4; i++) u[i] = w[i];
  }
  for (int i = 0; i < 4; i++) out[i] = v[i];
}

}  // namespace OCTET_ARCH
}  // namespace octet
