// sum_i left(i) right(i), round by round: a product of two vectors in a sum check (octet.md 3.8, A3).
//
// A vector is a prefix of the cube, zeros beyond. The first round reads small integers as they are and the
// first fold halves them on their way into the field, so that no vector is held at full length unless it came
// so. Folding writes to the other of two buffers, because the rows of a chunk may still be read elsewhere.
#pragma once
#include "functionals.h"
#include "packed.h"

namespace octet {
namespace OCTET_ARCH {

static constexpr size_t CHUNK_BLOCKS = 128 / Lr::WIDTH;  // of a round's rows, after the fold
static constexpr size_t SCRATCH_BLOCKS = 4 * CHUNK_BLOCKS;

// The coefficients of X^0 and X^2 of a round; the claim knows the one between.
struct Quadratic {
  Fr constant = Fr::zero(), square = Fr::zero();

  void add(const Quadratic& o, const Fr& factor) {
    constant = constant + factor * o.constant;
    square = square + factor * o.square;
  }
};

// A vector that a sum check folds: bytes, integers or scalars.
class FoldedVector {
 public:
  void from_bytes(const uint8_t* bytes, size_t n) { bytes_ = bytes, length_ = n; }
  void from_integers(const int64_t* integers, size_t n) { integers_ = integers, length_ = n; }
  // Takes the integers over.
  void from_integers(Buffer<int64_t>& integers, size_t n) {
    kept_integers_.swap(integers);
    from_integers(kept_integers_.data(), n);
  }
  // The room of the scalars holds zeros beyond their length; they stay where they are.
  void from_scalars(const Packed& scalars) { scalars_ = scalars.words.data(), length_ = scalars.length; }
  // Takes the scalars over.
  void from_scalars(Packed& scalars, bool) {
    kept_scalars_.swap(scalars.words);
    scalars_ = kept_scalars_.data(), length_ = scalars.length;
  }

  // Room of this round's rows.
  size_t blocks() const { return even_blocks(length_); }

  // Before a pass: where the rows of its round will stand.
  void prepare(bool folding) {
    folding_ = folding;
    if (!folding) return;
    source_ = held_ < 0 ? scalars_ : half_[held_].words.data();
    source_length_ = length_;
    length_ = (length_ + 1) / 2;
    held_ = held_ == 0 ? 1 : 0;
    half_[held_].resize(length_);
    folds_++;
  }
  // After a pass: what the first fold has read is needed no more.
  void settle() {
    if (!folding_ || folds_ != 1) return;
    kept_integers_.release();
    kept_scalars_.release();
  }

  // Blocks [from, from + count) of this round's rows, from and count even, folded by r if this pass folds.
  // `scratch` has room for twice as many blocks.
  const u64* rows(size_t from, size_t count, const Lr& r, u64* scratch) {
    if (!folding_) {
      if (held_ >= 0) return half_[held_].block(from);
      if (scalars_) return scalars_ + from * BLOCK_WORDS;
      expand(from, count, length_, scratch);
      return scratch;
    }
    const u64* source = scratch;
    if (source_)
      source = source_ + 2 * from * BLOCK_WORDS;
    else
      expand(2 * from, 2 * count, source_length_, scratch);
    u64* target = half_[held_].block(from);
    // The source has room for pairs of blocks only; a block beyond is 0.
    const size_t held = even_blocks(source_length_) / 2;
    const size_t full = held > from ? (held - from < count ? held - from : count) : 0;
    fold_blocks(source, target, full, r);
    if (full < count) memset((void*)(target + full * BLOCK_WORDS), 0, (count - full) * BLOCK_WORDS * 8);
    return target;
  }

  // Entry i of this round's rows.
  Fr at(size_t i) const {
    if (i >= length_) return Fr::zero();
    if (held_ >= 0) return half_[held_].get(i);
    if (scalars_) return Lr::get(scalars_, i);
    return from_signed(bytes_ ? (int64_t)bytes_[i] : integers_[i]);
  }

 private:
  void expand(size_t from, size_t count, size_t length, u64* to) const {
    const Lr one = Small::unit(Fr::one());
    int64_t few[Lr::WIDTH];
    for (size_t b = 0; b < count; b++) {
      const size_t row = (from + b) * Lr::WIDTH;
      const int64_t* values = few;
      if (integers_ && row + Lr::WIDTH <= length) {
        values = integers_ + row;
      } else {
        for (size_t k = 0; k < (size_t)Lr::WIDTH; k++)
          few[k] = row + k >= length ? 0 : bytes_ ? (int64_t)bytes_[row + k] : integers_[row + k];
      }
      (Small::integers(values) * one).store(to + b * BLOCK_WORDS);
    }
  }

  const uint8_t* bytes_ = nullptr;
  const int64_t* integers_ = nullptr;
  const u64 *scalars_ = nullptr, *source_ = nullptr;
  Buffer<int64_t> kept_integers_;
  Buffer<u64> kept_scalars_;
  Packed half_[2];
  int held_ = -1, folds_ = 0;
  size_t length_ = 0, source_length_ = 0;
  bool folding_ = false;
};

struct PairSum {
  FoldedVector left, right;
  int variables = 0;         // rounds on which it lives
  Fr factor = Fr::one();
  List<Quadratic> found;     // by job

  // Announces a pass, folding first by the last challenge if there is one; returns how many jobs it has. A sum
  // that only joins has nothing to fold.
  int prepare(bool folding, int most_jobs) {
    folding = folding && joined_;
    joined_ = true;
    left.prepare(folding);
    right.prepare(folding);
    const size_t blocks = left.blocks() > right.blocks() ? left.blocks() : right.blocks();
    chunks_ = (blocks + CHUNK_BLOCKS - 1) / CHUNK_BLOCKS;
    jobs_ = chunks_ < (size_t)most_jobs ? (int)chunks_ : most_jobs;
    found.clear();
    for (int k = 0; k < jobs_; k++) found.push(Quadratic());
    return jobs_;
  }
  // `scratch`: SCRATCH_BLOCKS blocks.
  void run(int job, const Lr& r, u64* scratch) {
    LaneSum zero, two;
    for (size_t chunk = chunks_ * job / jobs_; chunk < chunks_ * (job + 1) / jobs_; chunk++) {
      const size_t from = chunk * CHUNK_BLOCKS, end = from + CHUNK_BLOCKS;
      const size_t a_end = end < left.blocks() ? end : left.blocks(), b_end = end < right.blocks() ? end : right.blocks();
      const u64 *a = scratch, *b = scratch;
      if (from < a_end) a = left.rows(from, a_end - from, r, scratch);
      if (from < b_end) b = right.rows(from, b_end - from, r, scratch + 2 * CHUNK_BLOCKS * BLOCK_WORDS);
      const size_t both = a_end < b_end ? a_end : b_end;
      for (size_t k = 0; from + k + 1 < both; k += 2) {
        Lr e, o, f, p;
        Lr::load_pairs(a + k * BLOCK_WORDS, e, o);
        Lr::load_pairs(b + k * BLOCK_WORDS, f, p);
        zero.add(e * f);
        two.add(Lr::difference(o, e) * Lr::difference(p, f));
      }
    }
    found[job].constant = zero.total();
    found[job].square = two.total();
  }
  // After all jobs.
  Quadratic settle() {
    left.settle();
    right.settle();
    Quadratic sum;
    for (const Quadratic& q : found) sum.add(q, factor);
    return sum;
  }

 private:
  size_t chunks_ = 0;
  int jobs_ = 0;
  bool joined_ = false;
};

// One pass over several sums, and what else takes part in it: jobs of all of them, spread over the threads.
template <class Other>
static void run_pass(List<PairSum*>& sums, bool folding, const Fr& challenge, int threads, int other_jobs, const Other& other) {
  const Lr r = Lr::broadcast(challenge);
  struct Task {
    PairSum* sum;
    int job;
  };
  List<Task> tasks;
  for (PairSum* sum : sums) {
    const int jobs = sum->prepare(folding, 4 * threads);
    for (int k = 0; k < jobs; k++) tasks.push(Task{sum, k});
  }
  auto job = [&](int k) {
    if (k < other_jobs) {
      other(k, r);
      return;
    }
    Buffer<u64> scratch(SCRATCH_BLOCKS * BLOCK_WORDS);
    tasks[k - other_jobs].sum->run(tasks[k - other_jobs].job, r, scratch.data());
  };
  spread(threads, other_jobs + (int)tasks.size(), job);
}

}  // namespace OCTET_ARCH
}  // namespace octet
