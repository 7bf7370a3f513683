// How multi-scalar multiplication cuts scalars into digits.
#pragma once
#include "buffer.h"

namespace octet {
namespace OCTET_ARCH {

// A column of scalars in plain form, each of `words` 64-bit words and below 2^bits; they belong to the points
// from `first` on.
struct Scalars {
  const u64* values;
  size_t n;
  size_t first = 0;
};

// Additions that emptying a bucket takes: two, and some for what they cannot share.
static constexpr double EMPTYING = 2.2;

// Windows of `width` bits. Signed digits but for the highest window, which has a bit to spare instead.
struct Windows {
  int width, count;
  bool is_signed;
  uint32_t buckets;  // digits 1..buckets

  double additions(size_t n) const { return (double)count * ((double)n + EMPTYING * buckets); }

  // The cheapest cut by the number of additions: each point once per window, each bucket about twice.
  static Windows choose(size_t n, int bits) {
    Windows best{1, bits, false, 1};
    double cost = 1e300;
    for (int c = 2; c <= 16; c++) {
      for (int s = 0; s < 2; s++) {
        const int windows = (bits + s + c - 1) / c;
        const uint32_t buckets = s ? 1u << (c - 1) : (1u << c) - 1;
        const Windows cut{c, windows, s != 0, buckets};
        if (cut.additions(n) < cost) {
          cost = cut.additions(n);
          best = cut;
        }
      }
    }
    return best;
  }
};

// Scalars with the offset added that makes every signed digit a plain window of bits.
class Digits {
 public:
  void prepare(const Scalars& scalars, int words, int bits, const Windows& cut) {
    cut_ = cut;
    words_ = words + (bits + 2 > 64 * words);
    u64 offset[5] = {0, 0, 0, 0, 0};
    if (cut.is_signed)
      for (int k = 0; k + 1 < cut.count; k++) {
        const int bit = k * cut.width + cut.width - 1;
        offset[bit / 64] |= (u64)1 << (bit % 64);
      }
    shifted_.resize(scalars.n * words_ + 1);
    for (size_t i = 0; i < scalars.n; i++) {
      u64 carry = 0;
      for (int j = 0; j < words_; j++) {
        const u128 s = (u128)(j < words ? scalars.values[i * words + j] : 0) + offset[j] + carry;
        shifted_[i * words_ + j] = (u64)s;
        carry = (u64)(s >> 64);
      }
    }
  }

  // Digits of scalars [from, end) in one window.
  void read(int window, size_t from, size_t end, int32_t* out) const {
    const int bit = window * cut_.width, word = bit / 64, low = bit % 64;
    const bool wraps = low + cut_.width > 64 && word + 1 < words_;
    const u64 mask = ((u64)1 << cut_.width) - 1;
    const int32_t middle = cut_.is_signed && window + 1 < cut_.count ? 1 << (cut_.width - 1) : 0;
    const u64* s = shifted_.data() + word;
    for (size_t i = from; i < end; i++) {
      u64 d = s[i * words_] >> low;
      if (wraps) d |= s[i * words_ + 1] << (64 - low);
      out[i - from] = (int32_t)(d & mask) - middle;
    }
  }

 private:
  Windows cut_{1, 1, false, 1};
  int words_ = 0;
  Buffer<u64> shifted_;
};

}  // namespace OCTET_ARCH
}  // namespace octet
