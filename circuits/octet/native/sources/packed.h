// Vectors of scalars in lanes: rows in blocks of WIDTH, in the Montgomery form of the path, below 2q.
#pragma once
#include "buffer.h"
#include "list.h"

namespace octet {
namespace OCTET_ARCH {

typedef Lanes<ScalarPrime> Lr;

static constexpr size_t BLOCK_WORDS = (size_t)Lr::WIDTH * Lr::WORDS;

static inline size_t blocks_of(size_t n) { return (n + Lr::WIDTH - 1) / Lr::WIDTH; }

// Blocks of a vector that can be read in pairs.
static inline size_t even_blocks(size_t n) { return (blocks_of(n) + 1) / 2 * 2; }

// Many sums at once, whose carries and reductions wait.
class LaneSum {
 public:
  LaneSum() : sum_(Lr::broadcast(Fr::zero())) {}

  // `a` is carried and below 2q.
  inline void add(const Lr& a) {
    if (!Lr::WAITS) {
      sum_ = sum_ + a;
      return;
    }
    sum_ = Lr::raw_sum(sum_, a);
    if (++waiting_ == 14) settle();
  }
  Lr settled() {
    settle();
    return sum_;
  }
  Fr total() { return settled().total(); }

 private:
  void settle() {
    if (!Lr::WAITS) return;
    sum_ = Lr::reduced(Lr::carried(sum_), 4);
    sum_ = Lr::reduced(sum_, 3);
    sum_ = Lr::reduced(sum_, 2);
    sum_ = Lr::reduced(sum_, 1);
    waiting_ = 0;
  }

  Lr sum_;
  int waiting_ = 0;
};

// `length` scalars; room for pairs of blocks.
struct Packed {
  Buffer<u64> words;
  size_t length = 0;

  void resize(size_t n) {
    length = n;
    words.resize(even_blocks(n) * BLOCK_WORDS);
  }
  // Rows from `from` to the end of the room.
  void fill(size_t from, const Fr& x) {
    const size_t room = even_blocks(length) * Lr::WIDTH;
    for (size_t i = from; i < room; i++) Lr::put(words.data(), i, x);
  }
  void clear() {
    words.clear_bytes();
  }
  u64* block(size_t b) { return words.data() + b * BLOCK_WORDS; }
  const u64* block(size_t b) const { return words.data() + b * BLOCK_WORDS; }
  Fr get(size_t i) const { return Lr::get(words.data(), i); }
  void put(size_t i, const Fr& x) { Lr::put(words.data(), i, x); }
};

// to[b] = even + r (odd - even) over pairs of rows; `blocks` of the result.
static inline void fold_blocks(const u64* from, u64* to, size_t blocks, const Lr& r) {
  for (size_t b = 0; b < blocks; b++) {
    Lr even, odd;
    Lr::load_pairs(from + 2 * b * BLOCK_WORDS, even, odd);
    (even + r * Lr::difference(odd, even)).store(to + b * BLOCK_WORDS);
  }
}

// scale * eq(point, i) for i < n, the room filled with true values as far as the cube goes.
static void eq_prefix(const Fr* point, int variables, size_t n, const Fr& scale, Packed& out) {
  out.resize(n);
  out.clear();
  const size_t all = (size_t)1 << variables;
  const size_t most = even_blocks(n) * Lr::WIDTH < all ? even_blocks(n) * Lr::WIDTH : all;
  out.put(0, scale);
  size_t size = 1;
  for (int j = 0; j < variables; j++, size *= 2) {
    const size_t have = size < most ? size : most;
    const Fr rest = Fr::one() - point[j];
    if (size < (size_t)Lr::WIDTH) {
      for (size_t i = 0; i < have; i++) {
        const Fr low = out.get(i);
        if (i + size < most) out.put(i + size, low * point[j]);
        out.put(i, low * rest);
      }
      continue;
    }
    const Lr x = Lr::broadcast(point[j]), y = Lr::broadcast(rest);
    const size_t half = size / Lr::WIDTH, blocks = have / Lr::WIDTH, end = most / Lr::WIDTH;
    for (size_t i = 0; i < blocks; i++) {
      const Lr low = Lr::load(out.block(i));
      if (i + half < end) {
        const Lr high = low * x;
        high.store(out.block(i + half));
        (low - high).store(out.block(i));
      } else {
        (low * y).store(out.block(i));
      }
    }
  }
}

}  // namespace OCTET_ARCH
}  // namespace octet
