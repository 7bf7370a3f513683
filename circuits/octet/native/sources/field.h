// BN254's two prime fields, one element at a time, in portable C++: 4 words of 64 bits, Montgomery
// form with R = 2^256, always canonical (below the prime).
//
// Public data only: nothing here runs in constant time. Source: EIP-196 (primes); Koc, Acar, Kaliski,
// "Analyzing and comparing Montgomery multiplication algorithms", CIOS, without the extra word, which
// these primes do not need because their top word is below 2^62.
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <string.h>

// Every translation unit compiles this code under its own name, so that the linker can never hand code
// that uses one processor's instructions to another path.
#ifndef OCTET_ARCH
#error "OCTET_ARCH names the path that is being compiled"
#endif

#include "inverse.h"

namespace octet {
namespace OCTET_ARCH {

typedef uint64_t u64;
typedef unsigned __int128 u128;

struct ScalarPrime {  // r, the order of G1
  static constexpr u64 q[4] = {0x43e1f593f0000001ULL, 0x2833e84879b97091ULL, 0xb85045b68181585dULL,
                               0x30644e72e131a029ULL};
  static constexpr u64 minus_inverse = 0xc2e1f593efffffffULL;  // -q^-1 mod 2^64
};

struct BasePrime {  // the field of the coordinates
  static constexpr u64 q[4] = {0x3c208c16d87cfd47ULL, 0x97816a916871ca8dULL, 0xb85045b68181585dULL,
                               0x30644e72e131a029ULL};
  static constexpr u64 minus_inverse = 0x87d20782e4866389ULL;
};

// A word of the transcript, 32 bytes, big-endian, from and to 4 words.
static inline void words_of_bytes(const uint8_t* in, u64* w) {
  for (int i = 0; i < 4; i++) {
    w[i] = 0;
    for (int j = 0; j < 8; j++) w[i] = w[i] << 8 | in[(3 - i) * 8 + j];
  }
}
static inline void bytes_of_words(const u64* w, uint8_t* out) {
  for (int i = 0; i < 4; i++)
    for (int j = 0; j < 8; j++) out[(3 - i) * 8 + j] = (uint8_t)(w[i] >> (56 - 8 * j));
}

template <class P>
struct Field {
  typedef P Prime;
  u64 v[4];

  static Field zero() { return Field{{0, 0, 0, 0}}; }

  static bool canonical(const u64* a) {
    for (int i = 3; i >= 0; i--) {
      if (a[i] < P::q[i]) return true;
      if (a[i] > P::q[i]) return false;
    }
    return false;
  }

  bool is_zero() const { return !(v[0] | v[1] | v[2] | v[3]); }
  bool operator==(const Field& o) const {
    return !((v[0] ^ o.v[0]) | (v[1] ^ o.v[1]) | (v[2] ^ o.v[2]) | (v[3] ^ o.v[3]));
  }

  // a + b + carry and a - b - borrow of one word; the carry is 0 or 1 before and after.
  static u64 add_word(u64 a, u64 b, u64& carry) {
#if defined(__x86_64__)
    unsigned long long s;
    carry = __builtin_ia32_addcarryx_u64((unsigned char)carry, a, b, &s);
    return s;
#else
    const u128 s = (u128)a + b + carry;
    carry = (u64)(s >> 64);
    return (u64)s;
#endif
  }
  static u64 subtract_word(u64 a, u64 b, u64& borrow) {
#if defined(__x86_64__)
    unsigned long long d;
    borrow = __builtin_ia32_sbb_u64((unsigned char)borrow, a, b, &d);
    return d;
#else
    const u128 d = (u128)a - b - borrow;
    borrow = (u64)(d >> 64) & 1;
    return (u64)d;
#endif
  }

  // Takes q off a few times, until what is left is below it.
  static void make_canonical(u64* a) {
    while (!canonical(a)) {
      u64 borrow = 0;
      for (int i = 0; i < 4; i++) a[i] = subtract_word(a[i], P::q[i], borrow);
    }
  }

  // t - q when t >= q, for t < 2q, without a branch that the data would make unpredictable.
  static Field reduced(u64 t0, u64 t1, u64 t2, u64 t3) {
    u64 borrow = 0;
    const u64 s0 = subtract_word(t0, P::q[0], borrow), s1 = subtract_word(t1, P::q[1], borrow);
    const u64 s2 = subtract_word(t2, P::q[2], borrow), s3 = subtract_word(t3, P::q[3], borrow);
    const u64 keep = 0 - borrow;
    return Field{{s0 ^ (keep & (s0 ^ t0)), s1 ^ (keep & (s1 ^ t1)), s2 ^ (keep & (s2 ^ t2)), s3 ^ (keep & (s3 ^ t3))}};
  }

  Field operator+(const Field& o) const {
    u64 carry = 0;
    const u64 t0 = add_word(v[0], o.v[0], carry), t1 = add_word(v[1], o.v[1], carry);
    const u64 t2 = add_word(v[2], o.v[2], carry), t3 = add_word(v[3], o.v[3], carry);
    return reduced(t0, t1, t2, t3);
  }

  Field operator-(const Field& o) const {
    u64 borrow = 0, carry = 0;
    const u64 t0 = subtract_word(v[0], o.v[0], borrow), t1 = subtract_word(v[1], o.v[1], borrow);
    const u64 t2 = subtract_word(v[2], o.v[2], borrow), t3 = subtract_word(v[3], o.v[3], borrow);
    const u64 mask = 0 - borrow;
    Field r;
    r.v[0] = add_word(t0, P::q[0] & mask, carry);
    r.v[1] = add_word(t1, P::q[1] & mask, carry);
    r.v[2] = add_word(t2, P::q[2] & mask, carry);
    r.v[3] = add_word(t3, P::q[3] & mask, carry);
    return r;
  }

#if defined(__ADX__) && defined(__BMI2__)
  // t += a y over five words, the bounds of CIOS keep it from overflowing. Compilers do not keep two
  // chains of carries in the two flags that ADX has for them, so the row is written out.
  static inline __attribute__((always_inline)) void add_row(const u64* a, u64 y, u64& t0, u64& t1, u64& t2, u64& t3,
                                                           u64& t4) {
    u64 low, high;
    __asm__(
        "xor %k[low], %k[low]\n\t"
        "mulx %[a0], %[low], %[high]\n\tadox %[low], %[t0]\n\tadcx %[high], %[t1]\n\t"
        "mulx %[a1], %[low], %[high]\n\tadox %[low], %[t1]\n\tadcx %[high], %[t2]\n\t"
        "mulx %[a2], %[low], %[high]\n\tadox %[low], %[t2]\n\tadcx %[high], %[t3]\n\t"
        "mulx %[a3], %[low], %[high]\n\tadox %[low], %[t3]\n\tadcx %[high], %[t4]\n\t"
        "mov $0, %k[low]\n\tadox %[low], %[t4]"
        : [t0] "+&r"(t0), [t1] "+&r"(t1), [t2] "+&r"(t2), [t3] "+&r"(t3), [t4] "+&r"(t4), [low] "=&r"(low),
          [high] "=&r"(high)
        : "d"(y), [a0] "m"(a[0]), [a1] "m"(a[1]), [a2] "m"(a[2]), [a3] "m"(a[3])
        : "cc");
  }

  Field operator*(const Field& o) const {
    u64 t0 = 0, t1 = 0, t2 = 0, t3 = 0, t4 = 0;
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
      add_row(v, o.v[i], t0, t1, t2, t3, t4);
      add_row(P::q, t0 * P::minus_inverse, t0, t1, t2, t3, t4);
      t0 = t1;
      t1 = t2;
      t2 = t3;
      t3 = t4;
      t4 = 0;
    }
    return reduced(t0, t1, t2, t3);
  }
#else
  // low + high 2^64 = a b + c + d, which never overflows.
  static inline u64 multiply_word(u64 a, u64 b, u64 c, u64 d, u64& high) {
    const u128 s = (u128)a * b + c + d;
    high = (u64)(s >> 64);
    return (u64)s;
  }

  Field operator*(const Field& o) const {
    u64 t0 = 0, t1 = 0, t2 = 0, t3 = 0;
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
      const u64 y = o.v[i];
      u64 high, carry;
      t0 = multiply_word(v[0], y, t0, 0, high);
      t1 = multiply_word(v[1], y, t1, high, high);
      t2 = multiply_word(v[2], y, t2, high, high);
      t3 = multiply_word(v[3], y, t3, high, high);
      const u64 m = t0 * P::minus_inverse;
      multiply_word(m, P::q[0], t0, 0, carry);
      t0 = multiply_word(m, P::q[1], t1, carry, carry);
      t1 = multiply_word(m, P::q[2], t2, carry, carry);
      t2 = multiply_word(m, P::q[3], t3, carry, carry);
      t3 = high + carry;
    }
    return reduced(t0, t1, t2, t3);
  }

#endif

  Field negated() const { return zero() - *this; }
  Field doubled() const { return *this + *this; }

  // 2^512 mod q, found by doubling once, so that no long constant has to be trusted.
  static const Field& montgomery_square() {
    static const Field square = [] {
      Field t{{1, 0, 0, 0}};
      for (int i = 0; i < 512; i++) t = t + t;
      return t;
    }();
    return square;
  }

  // From and to the plain canonical form, which is the only one outside this library.
  static Field from_words(const u64* words) {
    Field t;
    memcpy(t.v, words, 32);
    return t * montgomery_square();
  }
  static Field from_int(u64 x) {
    const u64 words[4] = {x, 0, 0, 0};
    return from_words(words);
  }
  static Field one() { return from_int(1); }
  void to_words(u64* words) const {
    const Field plain = *this * Field{{1, 0, 0, 0}};
    memcpy(words, plain.v, 32);
  }

  // Zero goes to zero; who divides asks first.
  Field inverse() const {
    static const Field cube = montgomery_square() * montgomery_square();  // 2^768: the inverse of v is 2^-256 / value
    Field plain;
    invert_plain<P>(v, plain.v);
    return plain * cube;
  }

  void to_bytes(uint8_t* out) const {
    u64 w[4];
    to_words(w);
    bytes_of_words(w, out);
  }
  // Any 32 bytes, taken mod q (2^256 < 6q).
  static Field from_bytes_reduced(const uint8_t* in) {
    u64 w[4];
    words_of_bytes(in, w);
    make_canonical(w);
    return from_words(w);
  }
};

template <class P>
Field<P> power(Field<P> base, u64 exponent) {
  Field<P> r = Field<P>::one();
  for (; exponent; exponent >>= 1) {
    if (exponent & 1) r = r * base;
    base = base * base;
  }
  return r;
}

typedef Field<ScalarPrime> Fr;
typedef Field<BasePrime> Fq;

}  // namespace OCTET_ARCH
}  // namespace octet
