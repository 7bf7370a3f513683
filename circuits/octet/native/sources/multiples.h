// Multiples of fixed points, such as the first powers of an SRS (octet.md A9): with 2^(c w) P_i at hand, all
// windows of a multi-scalar multiplication share one set of buckets, which is emptied once.
#pragma once
#include "bucket_tree.h"

namespace octet {
namespace OCTET_ARCH {

struct Multiples {
  int width = 0, count = 0;
  size_t n = 0;
  Buffer<u64> words;  // 2^(width w) P_i at w n + i, packed

  // False, and nothing is kept, when a point is infinity, or n no multiple of the lanes.
  bool fill(const u64* points, const uint8_t* infinite, size_t size, int bits_of_window, int bits) {
    if (!size || size % Lq::WIDTH) return false;
    for (size_t i = 0; i < size; i++)
      if (infinite[i]) return false;
    width = bits_of_window;
    count = (bits + width) / width;  // signed digits take one bit more
    n = size;
    words.resize((size_t)count * n * POINT_WORDS);
    memcpy((void*)words.data(), points, n * POINT_WORDS * 8);
    for (size_t k = 0; k < n; k += Lq::WIDTH) fill_lanes(k);
    return true;
  }

 private:
  // All multiples of the points of one set of lanes: doubled in Jacobian form, divided by z together.
  void fill_lanes(size_t first) {
    constexpr int L = Lq::WIDTH;
    const size_t several = (size_t)count;
    Buffer<Lq> x(several), y(several), z(several), before(several);
    uint32_t place[L];
    for (int k = 0; k < L; k++) place[k] = (uint32_t)(first + k);
    Lq::load_points<false>(words.data(), place, x[0], y[0]);
    z[0] = Lq::broadcast(Fq::one());
    Lq product = z[0];
    for (size_t w = 1; w < several; w++) {
      x[w] = x[w - 1];
      y[w] = y[w - 1];
      z[w] = z[w - 1];
      for (int d = 0; d < width; d++) double_lanes(x[w], y[w], z[w]);
      before[w] = product;
      product = product * z[w];
    }
    Lq inverse = product;
    for (int j = 0; j < L; j++) inverse.set_lane(j, product.lane(j).inverse());  // no point doubles to infinity
    for (size_t w = several; w-- > 1;) {
      const Lq own = inverse * before[w], square = own * own;
      inverse = inverse * z[w];
      for (int k = 0; k < L; k++) place[k] = (uint32_t)(w * n + first + k);
      Lq::store_points(words.data(), place, x[w] * square, y[w] * square * own);
    }
  }

  // dbl-2009-l, as in curve.h.
  static void double_lanes(Lq& x, Lq& y, Lq& z) {
    const Lq a = x * x, b = y * y, c = b * b;
    const Lq t = x + b, s = t * t - a - c;
    const Lq d = s + s, e = a + a + a;
    const Lq c2 = c + c, c4 = c2 + c2, yz = y * z;
    x = e * e - (d + d);
    y = e * (d - x) - (c4 + c4);
    z = yz + yz;
  }
};

}  // namespace OCTET_ARCH
}  // namespace octet
