// Multi-scalar multiplication of several columns at once: Pippenger's buckets with signed digits.
//
// A column has a set of buckets for each window, or one for all where multiples of its points are at hand. A
// unit is one set of one column, or a piece of it where there are fewer sets than threads. Jobs sort the
// points of some units into buckets and add the buckets up; then sum_d d S_d of every set is worked out, all
// sets of a job together, so that additions share inversions.
#pragma once
#include "multiples.h"
#include "windows.h"

namespace octet {
namespace OCTET_ARCH {

struct Points {
  size_t n = 0;
  Buffer<u64> words;         // n packed points
  Buffer<uint8_t> infinite;  // 1 where the point is infinity, which is never looked up
  Multiples multiples;       // of the first points, as many as stay in the second-level cache; empty at first

  // Makes multiplications of few full-size scalars cheaper. Beyond the cache it would be no gain (octet.md 2.1).
  void prepare() {
    if (!multiples.n) multiples.fill(words.data(), infinite.data(), n < FEW ? n : FEW, 8, 254);
  }

 private:
  static constexpr size_t FEW = 256;
};

// A level's points should stay in the second-level cache, and its one inversion should not count.
static constexpr size_t CHUNK = 1 << 13;

class Msm {
 public:
  // out[k] = sum_i columns[k][i] * points[i], for scalars of `words` words below 2^bits.
  static void run(const Points& points, const Scalars* columns, int count, int words, int bits, int threads,
                  Jacobian* out) {
    size_t longest = 0;
    for (int k = 0; k < count; k++) longest = columns[k].n > longest ? columns[k].n : longest;
    for (int k = 0; k < count; k++) out[k] = Jacobian::infinity();
    if (!longest) return;
    Windows cut = Windows::choose(longest, bits);
    const Multiples* multiples = words == 4 ? cheaper(points, columns, count, longest, threads, cut) : nullptr;
    Msm state(points, columns, count, cut, multiples, threads);
    auto prepare = [&](int k) { state.digits_[k].prepare(columns[k], words, bits, state.cut_); };
    spread(threads, count, prepare);
    state.cut_jobs(longest);
    auto fill = [&](int k) { state.fill(state.jobs_[k]); };
    spread(threads, state.job_count_, fill);
    const int groups = threads < state.sets_ ? threads : state.sets_;
    auto empty = [&](int k) {
      const int column = k / groups, group = k % groups;
      state.empty(column, state.sets_ * group / groups, state.sets_ * (group + 1) / groups);
    };
    spread(threads, count * groups, empty);
    auto finish = [&](int k) { out[k] = state.horner(k); };
    spread(threads, count, finish);
  }

 private:
  // Consecutive units; `counts` says how many points each bucket of theirs has in `found`, bucket by bucket.
  struct Job {
    int first = 0, end = 0;
    Buffer<u64> found;
    Buffer<uint32_t> counts;
    Buffer<size_t> start;  // of each unit in `found`
  };

  // What a unit takes: points [from, to) in windows [w0, w1).
  struct Share {
    int w0, w1;
    size_t from, to;
    size_t size() const { return (size_t)(w1 - w0) * (to - from); }
  };

  // The points' multiples where they make this cheaper than `cut`, which then becomes theirs.
  static const Multiples* cheaper(const Points& points, const Scalars* columns, int count, size_t longest,
                                  int threads, Windows& cut) {
    const Multiples& m = points.multiples;
    if (longest > m.n) return nullptr;
    for (int k = 0; k < count; k++)
      if (columns[k].first) return nullptr;
    const Windows theirs{m.width, m.count, true, 1u << (m.width - 1)};
    const double filled = (double)m.count * (double)longest / threads;
    const double emptied = EMPTYING * theirs.buckets / (count < threads ? count : threads);
    if (filled + emptied >= cut.additions(longest) / threads) return nullptr;
    cut = theirs;
    return &m;
  }

  Msm(const Points& points, const Scalars* columns, int count, const Windows& cut, const Multiples* multiples,
      int threads)
      : points_(points),
        columns_(columns),
        columns_count_(count),
        cut_(cut),
        multiples_(multiples),
        sets_(multiples ? 1 : cut.count),
        threads_(threads) {
    digits_ = new Digits[(size_t)count];
    const size_t slots = (size_t)count * sets_ * cut.width;
    bit_sums_.resize(slots * POINT_WORDS);
    present_.resize(slots);
    present_.clear_bytes();
  }
  ~Msm() {
    delete[] digits_;
    delete[] jobs_;
  }
  Msm(const Msm&) = delete;

  static uint32_t magnitude(int32_t digit) { return (uint32_t)(digit < 0 ? -digit : digit); }
  int column_of(int unit) const { return unit / (sets_ * pieces_); }
  Share share(int unit) const {
    const int set = unit / pieces_ % sets_, piece = unit % pieces_;
    const size_t n = columns_[column_of(unit)].n;
    if (multiples_) return Share{cut_.count * piece / pieces_, cut_.count * (piece + 1) / pieces_, 0, n};
    return Share{set, set + 1, n * (size_t)piece / pieces_, n * (size_t)(piece + 1) / pieces_};
  }

  void cut_jobs(size_t longest) {
    const int sets = columns_count_ * sets_;
    if (sets < threads_ && longest * (multiples_ ? cut_.count : 1) >= CHUNK / 2) pieces_ = (threads_ + sets - 1) / sets;
    units_ = sets * pieces_;
    size_t total = 0;
    for (int unit = 0; unit < units_; unit++) total += share(unit).size();
    size_t target = total / threads_ + 1;
    if (target > CHUNK) target = CHUNK;
    jobs_ = new Job[(size_t)units_];
    unit_job_.resize((size_t)units_);
    for (int unit = 0; unit < units_;) {
      Job& job = jobs_[job_count_];
      job.first = unit;
      for (size_t size = 0; unit < units_ && (size == 0 || size < target); unit++) {
        size += share(unit).size();
        unit_job_[unit] = job_count_;
      }
      job.end = unit;
      job_count_++;
    }
  }

  void fill(Job& job) {
    const size_t per = cut_.buckets, buckets = (size_t)(job.end - job.first) * per;
    size_t total = 0;
    for (int unit = job.first; unit < job.end; unit++) total += share(unit).size();
    Buffer<int32_t> digits(total + 1);
    // Digit 0 has a bucket too, at the end of all, so that no digit is asked anything: a branch on its sign
    // or on zero would be a coin's toss.
    const size_t units = (size_t)(job.end - job.first);
    Buffer<uint32_t> tally(units * (per + 1)), counts(buckets), places(total + 1);
    tally.clear_bytes();
    size_t at = 0;
    for (int unit = job.first; unit < job.end; unit++) {
      const Share s = share(unit);
      const size_t n = s.to - s.from;
      const uint8_t* infinite = points_.infinite.data() + columns_[column_of(unit)].first + s.from;
      uint32_t* here = tally.data() + (size_t)(unit - job.first) * (per + 1);
      for (int w = s.w0; w < s.w1; w++, at += n) {
        int32_t* d = digits.data() + at;
        digits_[column_of(unit)].read(w, s.from, s.to, d);
        for (size_t i = 0; i < n; i++) {
          d[i] = infinite[i] ? 0 : d[i];
          here[magnitude(d[i])]++;
        }
      }
    }
    uint32_t sum = 0;
    for (size_t u = 0; u < units; u++)
      for (size_t b = 0; b < per; b++) {
        const uint32_t n = counts[u * per + b] = tally[u * (per + 1) + 1 + b];
        tally[u * (per + 1) + 1 + b] = sum;
        sum += n;
      }
    for (size_t u = 0; u < units; u++) {
      const uint32_t n = tally[u * (per + 1)];
      tally[u * (per + 1)] = sum;
      sum += n;
    }
    at = 0;
    for (int unit = job.first; unit < job.end; unit++) {
      const Share s = share(unit);
      const size_t n = s.to - s.from, first = columns_[column_of(unit)].first + s.from;
      uint32_t* here = tally.data() + (size_t)(unit - job.first) * (per + 1);
      for (int w = s.w0; w < s.w1; w++, at += n) {
        const int32_t* d = digits.data() + at;
        const uint32_t place = (uint32_t)(multiples_ ? (size_t)w * multiples_->n + first : first);
        for (size_t i = 0; i < n; i++)
          places[here[magnitude(d[i])]++] = (place + (uint32_t)i) | ((uint32_t)d[i] & OPPOSITE);
      }
    }
    add_up(job, places.data(), counts, buckets);
  }

  // Takes at most a chunk of points at a time; a bucket that is cut leaves one point for each part.
  void add_up(Job& job, const uint32_t* places, const Buffer<uint32_t>& counts, size_t buckets) {
    const size_t per = cut_.buckets;
    Tree tree;
    Buffer<uint32_t> part(buckets + 1);
    job.counts.resize(buckets);
    job.counts.clear_bytes();
    size_t most = 0;
    for (size_t b = 0; b < buckets; b++) most += counts[b] / CHUNK + 2 * (counts[b] != 0);
    job.found.resize((most + 1) * POINT_WORDS);
    size_t at = 0, found = 0, bucket = 0, done = 0;
    while (bucket < buckets) {
      const size_t first = bucket;
      size_t size = 0, parts = 0;
      while (bucket < buckets && size < CHUNK) {
        const size_t rest = counts[bucket] - done, taken = rest < CHUNK - size ? rest : CHUNK - size;
        part[parts++] = (uint32_t)taken;
        size += taken;
        done = taken < rest ? done + taken : 0;
        bucket += taken == rest;
      }
      tree.gather(multiples_ ? multiples_->words.data() : points_.words.data(), places + at, part.data(), parts);
      at += size;
      size_t kept = 0;
      for (size_t b = 0; b < parts; b++) {
        job.counts[first + b] += part[b];
        kept += part[b];
      }
      memcpy((void*)(job.found.data() + found * POINT_WORDS), tree.points.data(), kept * POINT_WORDS * 8);
      found += kept;
    }
    job.start.resize((size_t)(job.end - job.first));
    size_t start = 0;
    for (int unit = job.first; unit < job.end; unit++) {
      job.start[unit - job.first] = start;
      for (size_t b = 0; b < per; b++) start += job.counts[(size_t)(unit - job.first) * per + b];
    }
  }

  // sum_d d S_d of sets [w0, w1), level by level: the odd digits count once at this level, and
  // S_2d' + S_2d'+1 goes on as S_d' of the next. What is left is one point per set and bit.
  void empty(int column, int w0, int w1) {
    const size_t per = cut_.buckets, windows = (size_t)(w1 - w0);
    int levels = 1;
    while (per >> levels) levels++;
    const size_t span = (size_t)1 << levels;  // digits 0..span-1 of a window
    Tree tree, odd;
    Buffer<uint32_t> counts(windows * span), odd_counts((size_t)levels * windows);
    counts.clear_bytes();
    odd_counts.clear_bytes();
    const size_t total = take_found(column, w0, w1, span, counts, tree);
    // A point may be odd on every level; half of a level's digits are.
    const size_t most = total * levels < windows * span ? total * levels : windows * span;
    odd.points.resize((most + 1) * POINT_WORDS);
    size_t odd_at = 0, width = span;
    for (int level = 0; level < levels; level++) {
      tree.reduce(counts.data(), windows * width);
      size_t at = 0;
      for (size_t w = 0; w < windows; w++)
        for (size_t d = 0; d < width; d++) {
          if (!counts[w * width + d]) continue;
          if (d & 1) {
            copy_point(odd.points.data() + odd_at++ * POINT_WORDS, tree.points.data() + at * POINT_WORDS);
            odd_counts[(size_t)level * windows + w]++;
          }
          at++;
        }
      width /= 2;
      for (size_t b = 0; b < windows * width; b++) counts[b] = counts[2 * b] + counts[2 * b + 1];
    }
    odd.reduce(odd_counts.data(), (size_t)levels * windows);
    size_t at = 0;
    for (int level = 0; level < levels; level++)
      for (size_t w = 0; w < windows; w++) {
        if (!odd_counts[(size_t)level * windows + w]) continue;
        const size_t slot = ((size_t)column * sets_ + w0 + w) * cut_.width + level;
        copy_point(bit_sums_.data() + slot * POINT_WORDS, odd.points.data() + at++ * POINT_WORDS);
        present_[slot] = 1;
      }
  }

  // Puts what the jobs found in order of sets and digits; pieces of a set meet in its buckets.
  size_t take_found(int column, int w0, int w1, size_t span, Buffer<uint32_t>& counts, Tree& tree) const {
    const size_t per = cut_.buckets;
    for (int pass = 0; pass < 2; pass++) {
      size_t at = 0;
      for (int w = w0; w < w1; w++) {
        const int unit = (column * sets_ + w) * pieces_;
        Buffer<size_t> next((size_t)pieces_);
        for (int p = 0; p < pieces_; p++) next[p] = job_of(unit + p).start[unit + p - job_of(unit + p).first];
        for (size_t d = 1; d <= per; d++)
          for (int p = 0; p < pieces_; p++) {
            const Job& job = job_of(unit + p);
            const uint32_t n = job.counts[(size_t)(unit + p - job.first) * per + d - 1];
            if (pass && n) {
              memcpy((void*)(tree.points.data() + at * POINT_WORDS), job.found.data() + next[p] * POINT_WORDS,
                     (size_t)n * POINT_WORDS * 8);
              counts[(size_t)(w - w0) * span + d] += n;
            }
            next[p] += n;
            at += n;
          }
      }
      if (pass) return at;
      tree.points.resize((at + 1) * POINT_WORDS);
    }
    return 0;
  }
  const Job& job_of(int unit) const { return jobs_[unit_job_[unit]]; }

  Jacobian horner(int column) const {
    Jacobian total = Jacobian::infinity();
    for (int w = sets_; w-- > 0;)
      for (int bit = cut_.width; bit-- > 0;) {
        const size_t slot = ((size_t)column * sets_ + w) * cut_.width + bit;
        total = doubled(total);
        if (present_[slot]) total = added(total, unpack_point(bit_sums_.data() + slot * POINT_WORDS));
      }
    return total;
  }

  const Points& points_;
  const Scalars* columns_;
  int columns_count_;
  Windows cut_;
  const Multiples* multiples_;
  int sets_, threads_, pieces_ = 1, units_ = 0, job_count_ = 0;
  Digits* digits_ = nullptr;
  Job* jobs_ = nullptr;
  Buffer<int> unit_job_;
  Buffer<u64> bit_sums_;     // [column][set][bit]
  Buffer<uint8_t> present_;
};

// sum_i scalars[i] * points[i], scalars of `words` 64-bit words below 2^bits.
static Jacobian msm(const Points& points, const u64* scalars, int words, size_t n, int bits, int threads) {
  const Scalars column{scalars, n};
  Jacobian sum;
  Msm::run(points, &column, 1, words, bits, threads, &sum);
  return sum;
}

}  // namespace OCTET_ARCH
}  // namespace octet
