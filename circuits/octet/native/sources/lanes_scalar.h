// The lanes of a machine without AVX512-IFMA: one element, in the form of field.h.
#pragma once
#include "field.h"

namespace octet {
namespace OCTET_ARCH {

template <class P>
struct Lanes {
  typedef Field<P> F;
  static constexpr int WIDTH = 1;   // elements in one of these
  static constexpr int WORDS = 4;   // 64-bit words of one stored element
  F f;

  static Lanes broadcast(const F& x) { return Lanes{x}; }
  friend Lanes operator*(const Lanes& a, const Lanes& b) { return Lanes{a.f * b.f}; }
  friend Lanes operator+(const Lanes& a, const Lanes& b) { return Lanes{a.f + b.f}; }
  friend Lanes operator-(const Lanes& a, const Lanes& b) { return Lanes{a.f - b.f}; }
  // What wider lanes do with fewer reductions, for coordinates of points.
  static Lanes raw_product(const Lanes& a, const Lanes& b) { return a * b; }
  static Lanes distance(const Lanes& a, const Lanes& b) { return a - b; }
  static Lanes less_two(const Lanes& a, const Lanes& b, const Lanes& c) { return a - b - c; }
  static Lanes less_one(const Lanes& a, const Lanes& b) { return a - b; }
  // a - b as a factor of a product only: wider lanes leave out the last reduction.
  static Lanes difference(const Lanes& a, const Lanes& b) { return a - b; }

  // One element is always canonical: nothing waits.
  static constexpr bool WAITS = false;
  static Lanes raw_sum(const Lanes& a, const Lanes& b) { return a + b; }
  static Lanes raw_difference(const Lanes& a, const Lanes& b, int) { return a - b; }
  static Lanes carried(const Lanes& a) { return a; }
  static Lanes reduced(const Lanes& a, int) { return a; }

  // Tables: blocks of WIDTH elements.
  static Lanes load(const u64* block) {
    Lanes r;
    memcpy(r.f.v, block, 32);
    return r;
  }
  void store(u64* block) const { memcpy(block, f.v, 32); }
  // Elements 0, 2, 4, .. and 1, 3, 5, .. of two blocks that follow each other.
  static void load_pairs(const u64* block, Lanes& even, Lanes& odd) {
    even = load(block);
    odd = load(block + 4);
  }
  static void put(u64* table, size_t i, const F& x) { memcpy(table + 4 * i, x.v, 32); }
  static F get(const u64* table, size_t i) {
    F r;
    memcpy(r.v, table + 4 * i, 32);
    return r;
  }
  Lanes first(int count) const { return count > 0 ? *this : Lanes{F::zero()}; }
  F lane(int) const { return f; }
  void set_lane(int, const F& x) { f = x; }
  void to_fields(F* out) const { out[0] = f; }
  F total() const { return f; }

  // Points: records of 8 words, x and y; the highest bit of an index asks for the opposite point.
  static Lanes load_abscissas(const u64* base, const uint32_t* index) {
    return Lanes{unpack_word4(base + 8 * (size_t)(index[0] & 0x7fffffff))};
  }
  template <bool SIGNED>
  static void load_points(const u64* base, const uint32_t* index, Lanes& x, Lanes& y) {
    const u64* record = base + 8 * (size_t)(index[0] & 0x7fffffff);
    x.f = unpack_word4(record);
    y.f = unpack_word4(record + 4);
    if (SIGNED && index[0] >> 31) y.f = y.f.negated();
  }
  static void store_points(u64* base, const uint32_t* index, const Lanes& x, const Lanes& y) {
    pack_word4(x.f, base + 8 * (size_t)index[0]);
    pack_word4(y.f, base + 8 * (size_t)index[0] + 4);
  }
  // One coordinate of a stored point.
  static void pack_word4(const F& x, u64* words) { memcpy(words, x.v, 32); }
  static F unpack_word4(const u64* words) {
    F r;
    memcpy(r.v, words, 32);
    return r;
  }
  static void negate_word4(u64* words) { pack_word4(unpack_word4(words).negated(), words); }
};

}  // namespace OCTET_ARCH
}  // namespace octet
