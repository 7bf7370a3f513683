// Affine additions that share one inversion (octet.md 2.1): pairs of packed points, and buckets of points
// that are added pairwise, level by level, until each holds at most one.
//
// A pair with equal x (the same point twice, or a point and its opposite) has no slope; it makes the
// product of the denominators zero, which is looked at once per level. Such pairs are then looked for and
// doubled one at a time, or dropped.
#pragma once
#include "buffer.h"
#include "curve.h"

namespace octet {
namespace OCTET_ARCH {

typedef Lanes<BasePrime> Lq;
static constexpr int POINT_WORDS = 8;  // a packed point fills one line of the cache

static inline void pack_point(const Affine& a, u64* words) {
  Lq::pack_word4(a.x, words);
  Lq::pack_word4(a.y, words + 4);
}
static inline Affine unpack_point(const u64* words) {
  return Affine{Lq::unpack_word4(words), Lq::unpack_word4(words + 4)};
}
static inline void copy_point(u64* to, const u64* from) { memcpy(to, from, POINT_WORDS * 8); }

// A place in a list of points; the highest bit says that the point's opposite is meant.
static constexpr uint32_t OPPOSITE = 1u << 31;

static inline Affine point_at(const u64* points, uint32_t place) {
  Affine a = unpack_point(points + (size_t)(place & ~OPPOSITE) * POINT_WORDS);
  if (place & OPPOSITE) a.y = a.y.negated();
  return a;
}

class PairAdder {
 public:
  void clear(size_t most) {
    pairs_ = 0;
    const size_t room = most + Lq::WIDTH;
    if (left_.size() < room) {
      left_.resize(room);
      right_.resize(room);
      to_.resize(room);
    }
  }
  void push(uint32_t left, uint32_t right, uint32_t to) {
    left_[pairs_] = left;
    right_[pairs_] = right;
    to_[pairs_++] = to;
  }
  // out[to] = in[left] + in[right]. Only SIGNED places may say OPPOSITE.
  template <bool SIGNED>
  void add(const u64* in, u64* out) {
    dropped_ = 0;
    while (pairs_ && !add_all<SIGNED>(in, out)) add_apart(in, out);
  }
  // Places of `out` whose pairs left nothing.
  size_t dropped() const { return dropped_; }
  uint32_t dropped_place(size_t k) const { return gone_[k]; }

 private:
  // False when a pair has no slope; suspect_ says in which lanes.
  template <bool SIGNED>
  bool add_all(const u64* in, u64* out) {
    constexpr int L = Lq::WIDTH, W = Lq::WORDS;
    const size_t groups = (pairs_ + L - 1) / L;
    for (size_t k = pairs_; k < groups * L; k++) {  // the last pair again, which writes the same once more
      left_[k] = left_[pairs_ - 1];
      right_[k] = right_[pairs_ - 1];
      to_[k] = to_[pairs_ - 1];
    }
    if (product_.size() < groups * L * W) product_.resize(groups * L * W);
    // Two chains of products, since each has to wait for its last.
    Lq running[2] = {Lq::broadcast(Fq::one()), Lq::broadcast(Fq::one())};
    for (size_t g = 0; g < groups; g++) {
      if (SIGNED) prefetch(in, (g + 4) * L);
      const Lq x1 = Lq::load_abscissas(in, left_.data() + g * L), x2 = Lq::load_abscissas(in, right_.data() + g * L);
      Lq& chain = running[g & 1];
      chain.store(product_.data() + g * L * W);
      chain = chain * Lq::distance(x2, x1);
    }
    const Lq both = running[0] * running[1];
    Fq lane[L], before[L];
    Fq all = Fq::one();
    for (int j = 0; j < L; j++) {
      lane[j] = both.lane(j);
      suspect_[j] = lane[j].is_zero();
      before[j] = all;
      all = all * lane[j];
    }
    if (all.is_zero()) return false;
    Fq inverse = all.inverse();
    Lq back = both;
    for (int j = L; j-- > 0;) {
      back.set_lane(j, inverse * before[j]);
      inverse = inverse * lane[j];
    }
    Lq chains[2] = {back * running[1], back * running[0]};
    for (size_t g = groups; g-- > 0;) {
      Lq x1, y1, x2, y2;
      Lq::load_points<SIGNED>(in, left_.data() + g * L, x1, y1);
      Lq::load_points<SIGNED>(in, right_.data() + g * L, x2, y2);
      Lq& chain = chains[g & 1];
      const Lq inverted = chain * Lq::load(product_.data() + g * L * W);
      chain = chain * Lq::distance(x2, x1);
      const Lq slope = Lq::distance(y2, y1) * inverted;
      const Lq x3 = Lq::less_two(Lq::raw_product(slope, slope), x1, x2);
      const Lq y3 = Lq::less_one(Lq::raw_product(slope, Lq::distance(x1, x3)), y1);
      Lq::store_points(out, to_.data() + g * L, x3, y3);
    }
    return true;
  }

  void add_apart(const u64* in, u64* out) {
    gone_.resize(pairs_);
    size_t kept = 0;
    for (size_t k = 0; k < pairs_; k++) {
      if (suspect_[k % Lq::WIDTH]) {
        const Affine a = point_at(in, left_[k]), b = point_at(in, right_[k]);
        if (a.x == b.x) {
          if (a.y == b.y)
            pack_point(affine(doubled(Jacobian::from(a))), out + (size_t)to_[k] * POINT_WORDS);
          else
            gone_[dropped_++] = to_[k];
          continue;
        }
      }
      left_[kept] = left_[k];
      right_[kept] = right_[k];
      to_[kept++] = to_[k];
    }
    pairs_ = kept;
  }

  void prefetch(const u64* in, size_t from) const {
    if (from + Lq::WIDTH > pairs_) return;
    for (size_t k = from; k < from + Lq::WIDTH; k++) {
      __builtin_prefetch(in + (size_t)(left_[k] & ~OPPOSITE) * POINT_WORDS);
      __builtin_prefetch(in + (size_t)(right_[k] & ~OPPOSITE) * POINT_WORDS);
    }
  }

  Buffer<uint32_t> left_, right_, to_, gone_;
  Buffer<u64> product_;
  size_t pairs_ = 0, dropped_ = 0;
  bool suspect_[Lq::WIDTH] = {};
};

// Buckets with their points one after the other, and what adds them up.
struct Tree {
  Buffer<u64> points, next;
  PairAdder adder;

  // Fills `points` with the sums of buckets of places in `from`; afterwards counts[b] <= 1.
  void gather(const u64* from, const uint32_t* places, uint32_t* counts, size_t buckets) {
    size_t total = 0, odd = 0;
    for (size_t b = 0; b < buckets; b++) {
      total += counts[b];
      odd += counts[b] & 1;
    }
    points.resize((total / 2 + odd + 1) * POINT_WORDS);
    adder.clear(total / 2);
    size_t at = 0, place = 0;
    for (size_t b = 0; b < buckets; b++) {
      const uint32_t n = counts[b];
      for (uint32_t j = 0; j + 1 < n; j += 2) adder.push(places[place + j], places[place + j + 1], (uint32_t)at++);
      if (n & 1) {
        const uint32_t last = places[place + n - 1];
        u64* out = points.data() + at++ * POINT_WORDS;
        copy_point(out, from + (size_t)(last & ~OPPOSITE) * POINT_WORDS);
        if (last & OPPOSITE) Lq::negate_word4(out + 4);
      }
      place += n;
    }
    adder.add<true>(from, points.data());
    halve(points, counts, buckets);
    reduce(counts, buckets);
  }

  // Afterwards counts[b] <= 1 and `points` holds what is left, in order of the buckets.
  void reduce(uint32_t* counts, size_t buckets) {
    for (;;) {
      size_t total = 0, pairs = 0;
      for (size_t b = 0; b < buckets; b++) {
        total += counts[b];
        pairs += counts[b] / 2;
      }
      if (!pairs) return;
      next.resize((total - pairs) * POINT_WORDS);
      adder.clear(pairs);
      uint32_t from = 0, at = 0;
      for (size_t b = 0; b < buckets; b++) {
        const uint32_t n = counts[b];
        for (uint32_t j = 0; j + 1 < n; j += 2) adder.push(from + j, from + j + 1, at++);
        if (n & 1)
          copy_point(next.data() + (size_t)at++ * POINT_WORDS, points.data() + (size_t)(from + n - 1) * POINT_WORDS);
        from += n;
      }
      adder.add<false>(points.data(), next.data());
      halve(next, counts, buckets);
      points.swap(next);
    }
  }

 private:
  // After a level: half as many points in each bucket, less those of pairs that left nothing.
  void halve(Buffer<u64>& sums, uint32_t* counts, size_t buckets) {
    for (size_t b = 0; b < buckets; b++) counts[b] = (counts[b] + 1) / 2;
    if (!adder.dropped()) return;
    size_t total = 0, from = 0, at = 0;
    for (size_t b = 0; b < buckets; b++) total += counts[b];
    Buffer<uint8_t> gone(total);
    gone.clear_bytes();
    for (size_t k = 0; k < adder.dropped(); k++) gone[adder.dropped_place(k)] = 1;
    for (size_t b = 0; b < buckets; b++) {
      const uint32_t n = counts[b];
      for (uint32_t j = 0; j < n; j++, from++) {
        counts[b] -= gone[from];
        if (!gone[from]) copy_point(sums.data() + at++ * POINT_WORDS, sums.data() + from * POINT_WORDS);
      }
    }
  }
};

}  // namespace OCTET_ARCH
}  // namespace octet
