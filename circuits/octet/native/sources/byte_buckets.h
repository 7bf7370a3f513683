// Sums of points by the byte that stands on their rows (octet.md 3.7): what a commitment to a column of bytes
// is made of, and to any function of the byte as well.
#pragma once
#include "list.h"
#include "msm.h"

namespace octet {
namespace OCTET_ARCH {

static constexpr size_t BYTES = 256;

// A column of bytes; without a mask the rows that hold 0 are left out, with one those whose mask is 0.
struct ByteColumn {
  const uint8_t* bytes;
  const uint8_t* mask;
};

class ByteBuckets {
 public:
  // out[256 k + v] = sum of points[i] over the rows i < rows that hold v in column k.
  static void run(const Points& points, const List<ByteColumn>& columns, size_t rows, int threads, Points& out) {
    ByteBuckets state(points, columns, rows);
    const size_t all = columns.size() * BYTES;
    out.n = all;
    out.words.resize(all * POINT_WORDS);
    out.infinite.resize(all);
    state.cut_jobs(threads);
    auto fill = [&](int k) { state.fill(state.jobs_[k]); };
    spread(threads, (int)state.jobs_.size(), fill);
    auto meet = [&](int k) { state.meet(k, out); };
    spread(threads, (int)columns.size(), meet);
  }

 private:
  // Consecutive units, a unit being a piece of a column; what their buckets add up to.
  struct Job {
    size_t first = 0, end = 0;
    Buffer<u64> sums;
    Buffer<uint32_t> counts;  // 0 or 1 per bucket
  };

  ByteBuckets(const Points& points, const List<ByteColumn>& columns, size_t rows)
      : points_(points), columns_(columns), rows_(rows), pieces_((rows + CHUNK - 1) / CHUNK) {}

  size_t from(size_t unit) const { return rows_ * (unit % pieces_) / pieces_; }
  size_t to(size_t unit) const { return rows_ * (unit % pieces_ + 1) / pieces_; }

  void cut_jobs(int threads) {
    const size_t units = columns_.size() * pieces_, share = columns_.size() * rows_ / (size_t)threads + 1;
    const size_t target = share < CHUNK ? share : CHUNK;
    for (size_t unit = 0; unit < units;) {
      Job job;
      job.first = unit;
      for (size_t size = 0; unit < units && (size == 0 || size + rows_ / pieces_ <= target); unit++) {
        size += to(unit) - from(unit);
        job_of_.push((int)jobs_.size());
      }
      job.end = unit;
      jobs_.push(static_cast<Job&&>(job));
    }
  }

  void fill(Job& job) const {
    const size_t buckets = (job.end - job.first) * BYTES;
    job.counts.resize(buckets);
    job.counts.clear_bytes();
    for (size_t unit = job.first; unit < job.end; unit++) {
      const ByteColumn& column = columns_[unit / pieces_];
      uint32_t* here = job.counts.data() + (unit - job.first) * BYTES;
      for (size_t i = from(unit); i < to(unit); i++)
        if (!column.mask || column.mask[i]) here[column.bytes[i]]++;
      if (!column.mask) here[0] = 0;
    }
    Buffer<uint32_t> position(buckets);
    uint32_t total = 0;
    for (size_t b = 0; b < buckets; b++) {
      position[b] = total;
      total += job.counts[b];
    }
    Buffer<uint32_t> places(total + 1);
    for (size_t unit = job.first; unit < job.end; unit++) {
      const ByteColumn& column = columns_[unit / pieces_];
      uint32_t* here = position.data() + (unit - job.first) * BYTES;
      for (size_t i = from(unit); i < to(unit); i++)
        if (column.mask ? column.mask[i] : column.bytes[i]) places[here[column.bytes[i]]++] = (uint32_t)i;
    }
    Tree tree;
    tree.gather(points_.words.data(), places.data(), job.counts.data(), buckets);
    job.sums.swap(tree.points);
  }

  // Brings the pieces of a column together.
  void meet(int column, Points& out) const {
    Tree tree;
    uint32_t counts[BYTES] = {0};
    Buffer<u64> words(pieces_ * BYTES * POINT_WORDS + POINT_WORDS);
    Buffer<const u64*> next(pieces_);
    Buffer<const uint32_t*> present(pieces_);
    for (size_t p = 0; p < pieces_; p++) {
      const size_t unit = (size_t)column * pieces_ + p;
      const Job& job = jobs_[(size_t)job_of_[unit]];
      present[p] = job.counts.data() + (unit - job.first) * BYTES;
      next[p] = job.sums.data();
      for (const uint32_t* b = job.counts.data(); b < present[p]; b++) next[p] += *b ? POINT_WORDS : 0;
    }
    size_t at = 0;
    for (size_t v = 0; v < BYTES; v++)
      for (size_t p = 0; p < pieces_; p++) {
        if (!present[p][v]) continue;
        copy_point(words.data() + at++ * POINT_WORDS, next[p]);
        next[p] += POINT_WORDS;
        counts[v]++;
      }
    tree.points.swap(words);
    tree.reduce(counts, BYTES);
    place(tree, counts, BYTES, (size_t)column * BYTES, out);
  }

  const Points& points_;
  const List<ByteColumn>& columns_;
  size_t rows_, pieces_;
  List<Job> jobs_;
  List<int> job_of_;

 public:
  // Writes what a tree has left of its buckets to out[first ..].
  static void place(const Tree& tree, const uint32_t* counts, size_t buckets, size_t first, Points& out) {
    size_t at = 0;
    for (size_t b = 0; b < buckets; b++) {
      out.infinite[first + b] = !counts[b];
      if (counts[b]) copy_point(out.words.data() + (first + b) * POINT_WORDS, tree.points.data() + at++ * POINT_WORDS);
    }
  }
};

}  // namespace OCTET_ARCH
}  // namespace octet
