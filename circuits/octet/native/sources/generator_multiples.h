// Multiples of the generator of G1 for many factors at once, such as the powers of an SRS.
//
// A factor's bytes name one multiple each in a table of d 2^(8 w) G, and these are added up. The points of a
// job take their additions together, so that they share inversions.
#pragma once
#include "bucket_tree.h"

namespace octet {
namespace OCTET_ARCH {

class GeneratorMultiples {
 public:
  static constexpr size_t MOST = (size_t)1 << 24;

  // factors: plain words below r, none 0. out: per factor 64 bytes, x and y in Montgomery form with R = 2^256.
  void compute(const u64* factors, size_t n, int threads, u64* out) {
    // One list for the table and the sums: what adds pairs finds both in it.
    points_.resize((TABLE + n) * POINT_WORDS);
    fill_table();
    auto job = [&](int k) {
      const size_t from = (size_t)k * TOGETHER;
      add_up(factors, from, n - from < TOGETHER ? n : from + TOGETHER, out);
    };
    spread(threads, (int)((n + TOGETHER - 1) / TOGETHER), job);
  }

 private:
  static constexpr size_t WINDOWS = 32, DIGITS = 256, TABLE = WINDOWS * DIGITS;
  static constexpr size_t TOGETHER = 1024;  // points of a job: with the table they stay in the second-level cache

  // d 2^(8 w) G at 256 w + d; d = 0 stays unused.
  void fill_table() {
    Affine base{Fq::from_int(1), Fq::from_int(2)};
    for (size_t w = 0; w < WINDOWS; w++) {
      Jacobian multiples[DIGITS];  // up to the next window's base
      for (size_t d = 0; d < DIGITS; d++) multiples[d] = added(d ? multiples[d - 1] : Jacobian::infinity(), base);
      Affine found[DIGITS];
      affine_all(multiples, DIGITS, found);
      for (size_t d = 1; d < DIGITS; d++) pack_point(found[d - 1], points_.data() + (w * DIGITS + d) * POINT_WORDS);
      base = found[DIGITS - 1];
    }
  }

  // What the lower bytes add up to is neither a byte's multiple nor its opposite: the factor is below r and not 0.
  void add_up(const u64* factors, size_t from, size_t end, u64* out) {
    PairAdder adder;
    bool begun[TOGETHER] = {};
    for (size_t w = 0; w < WINDOWS; w++) {
      adder.clear(end - from);
      for (size_t i = from; i < end; i++) {
        const size_t digit = factors[4 * i + w / 8] >> (8 * (w % 8)) & 255;
        if (!digit) continue;
        const uint32_t sum = (uint32_t)(TABLE + i), place = (uint32_t)(w * DIGITS + digit);
        if (begun[i - from])
          adder.push(sum, place, sum);
        else
          copy_point(points_.data() + (size_t)sum * POINT_WORDS, points_.data() + (size_t)place * POINT_WORDS);
        begun[i - from] = true;
      }
      adder.add<false>(points_.data(), points_.data());
    }
    for (size_t i = from; i < end; i++) {
      const Affine found = unpack_point(points_.data() + (TABLE + i) * POINT_WORDS);
      memcpy(out + 8 * i, found.x.v, 32);
      memcpy(out + 8 * i + 4, found.y.v, 32);
    }
  }

  Buffer<u64> points_;
};

}  // namespace OCTET_ARCH
}  // namespace octet
