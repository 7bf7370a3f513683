// Threads, memory and keccak-256, compiled once for every machine.
#include "shared.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <atomic>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <new>
#include <system_error>
#include <thread>

namespace octet {

// Threads that stay, since a proof has some hundred short rounds. Tasks are on their callers' stacks; a
// caller does jobs of its own task too, so that a task ends even where no thread can be had.
class Pool {
 public:
  static Pool& get() {
    static Pool* pool = new Pool;  // never deleted: its threads end with the process
    return *pool;
  }

  void run(int threads, int jobs, void (*job)(void*, int), void* context) {
    const int helpers = threads < jobs ? threads - 1 : jobs - 1;
    Task task{job, context, jobs, helpers};
    {
      std::lock_guard<std::mutex> lock(mutex_);
      while (workers_ < helpers && grow()) {
      }
      task.following = tasks_;
      tasks_ = &task;
      waiting_.fetch_add(helpers);
    }
    for (int k = 0; k < helpers; k++) wake_.notify_one();
    task.work();
    std::unique_lock<std::mutex> lock(mutex_);
    waiting_.fetch_sub(task.wanted);
    task.wanted = 0;
    Task** at = &tasks_;
    while (*at != &task) at = &(*at)->following;
    *at = task.following;
    left_.wait(lock, [&] { return task.inside == 0; });
    if (task.error) std::rethrow_exception(task.error);
  }

  static bool is_worker() { return worker_; }

 private:
  struct Task {
    void (*job)(void*, int);
    void* context;
    int jobs, wanted;  // how many threads may still come
    int inside = 0;
    std::atomic<int> next{0};
    std::atomic<bool> failed{false};
    std::exception_ptr error;
    Task* following = nullptr;

    Task(void (*j)(void*, int), void* c, int n, int w) : job(j), context(c), jobs(n), wanted(w) {}
    void work() {
      try {
        for (int k = next++; k < jobs && !failed; k = next++) job(context, k);
      } catch (...) {
        if (!failed.exchange(true)) error = std::current_exception();
      }
    }
  };

  Pool() {
    // A process that forks leaves its threads behind: the child starts new ones.
    pthread_atfork([] { get().mutex_.lock(); }, [] { get().mutex_.unlock(); },
                   [] {
                     get().workers_ = 0;
                     get().mutex_.unlock();
                   });
  }

  bool grow() {
    try {
      std::thread([this] { serve(); }).detach();
    } catch (const std::system_error&) {
      return false;  // fewer threads do the same jobs
    }
    workers_++;
    return true;
  }

  void serve() {
    worker_ = true;
    for (;;) {
      // The next round of a sum check is near: sleeping and waking takes longer than it does.
      for (int spins = 0; spins < SPINS && waiting_.load(std::memory_order_relaxed) <= 0; spins++) pause();
      std::unique_lock<std::mutex> lock(mutex_);
      Task* task = nullptr;
      wake_.wait(lock, [&] {
        for (task = tasks_; task && !task->wanted; task = task->following) {
        }
        return task != nullptr;
      });
      task->wanted--;
      task->inside++;
      waiting_.fetch_sub(1);
      lock.unlock();
      task->work();
      lock.lock();
      if (--task->inside == 0) left_.notify_all();
    }
  }

  static void pause() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
  }

  static constexpr int SPINS = 1000;  // some ten microseconds
  static thread_local bool worker_;
  std::mutex mutex_;
  std::condition_variable wake_, left_;
  Task* tasks_ = nullptr;
  int workers_ = 0;
  std::atomic<int> waiting_{0};
};

thread_local bool Pool::worker_ = false;

void parallel(int threads, int jobs, void (*job)(void* context, int k), void* context) {
  if (threads < 2 || jobs < 2 || Pool::is_worker()) {
    for (int k = 0; k < jobs; k++) job(context, k);
  } else {
    Pool::get().run(threads, jobs, job, context);
  }
}

// Large blocks that wait for the next proof. Given back to the system, each of their pages would be mapped and
// cleared anew, which took an eighth of a proof's time.
class BlockStore {
 public:
  static BlockStore& get() {
    static BlockStore* store = new BlockStore;  // never deleted, as the pool
    return *store;
  }

  void* take(size_t bytes) {
    const int place = place_of(bytes);
    if (place < 0) return aligned_alloc(64, bytes);
    {
      std::lock_guard<std::mutex> lock(mutex_);
      if (Kept* found = kept_[place]) {
        kept_[place] = found->next;
        bytes_ -= size_of(place);
        return found;
      }
    }
    void* block = aligned_alloc(64, size_of(place));
    if (!block && release()) block = aligned_alloc(64, size_of(place));
    return block;
  }

  void give(void* block, size_t bytes) {
    const int place = place_of(bytes);
    if (place >= 0) {
      std::lock_guard<std::mutex> lock(mutex_);
      if (bytes_ + size_of(place) <= MOST) {
        kept_[place] = new (block) Kept{kept_[place]};
        bytes_ += size_of(place);
        return;
      }
    }
    free(block);
  }

 private:
  struct Kept {
    Kept* next;
  };

  // Four sizes for each power of two, from FEWEST on.
  static constexpr size_t FEWEST = (size_t)1 << 15, MOST = (size_t)64 << 20;
  static constexpr int PLACES = 4 * 11;
  static size_t size_of(int place) { return (FEWEST >> 2) * (size_t)(4 + place % 4) << (place / 4); }
  // -1: a block that is not kept.
  static int place_of(size_t bytes) {
    if (bytes < FEWEST || bytes > size_of(PLACES - 1)) return -1;
    int place = 0;
    while (size_of(place) < bytes) place++;
    return place;
  }

  BlockStore() {
    pthread_atfork([] { get().mutex_.lock(); }, [] { get().mutex_.unlock(); }, [] { get().mutex_.unlock(); });
  }

  // Whether there was anything to free.
  bool release() {
    std::lock_guard<std::mutex> lock(mutex_);
    const bool any = bytes_ > 0;
    for (Kept*& list : kept_)
      while (Kept* block = list) {
        list = block->next;
        free(block);
      }
    bytes_ = 0;
    return any;
  }

  std::mutex mutex_;
  Kept* kept_[PLACES] = {};
  size_t bytes_ = 0;
};

void* take_block(size_t bytes) { return BlockStore::get().take(bytes); }
void give_block(void* block, size_t bytes) { BlockStore::get().give(block, bytes); }

// Keccak-f[1600]: the rotations and the order of lanes follow from (x, y) -> (y, 2x + 3y), the round
// constants from the degree-8 register of FIPS 202, 3.2.5; both are computed once.
struct KeccakTables {
  uint64_t constant[24];
  int rotation[24], lane[24];
  KeccakTables() {
    uint8_t lfsr = 1;
    for (int round = 0; round < 24; round++) {
      constant[round] = 0;
      for (int j = 0; j < 7; j++) {
        if (lfsr & 1) constant[round] |= (uint64_t)1 << ((1 << j) - 1);
        lfsr = (uint8_t)(lfsr << 1 ^ (lfsr >> 7 ? 0x71 : 0));
      }
    }
    int x = 1, y = 0;
    for (int t = 0; t < 24; t++) {
      const int to = (2 * x + 3 * y) % 5;
      x = y;
      y = to;
      lane[t] = x + 5 * y;
      rotation[t] = (t + 1) * (t + 2) / 2 % 64;
    }
  }
};

static uint64_t rotated(uint64_t a, int n) { return n ? a << n | a >> (64 - n) : a; }

static void permute(uint64_t* a) {
  static const KeccakTables tables;
  for (int round = 0; round < 24; round++) {
    uint64_t column[5];
    for (int x = 0; x < 5; x++) column[x] = a[x] ^ a[x + 5] ^ a[x + 10] ^ a[x + 15] ^ a[x + 20];
    for (int x = 0; x < 5; x++) {
      const uint64_t d = column[(x + 4) % 5] ^ rotated(column[(x + 1) % 5], 1);
      for (int y = 0; y < 25; y += 5) a[x + y] ^= d;
    }
    uint64_t moving = a[1];
    for (int t = 0; t < 24; t++) {
      const uint64_t there = a[tables.lane[t]];
      a[tables.lane[t]] = rotated(moving, tables.rotation[t]);
      moving = there;
    }
    for (int y = 0; y < 25; y += 5) {
      uint64_t row[5];
      memcpy(row, a + y, 40);
      for (int x = 0; x < 5; x++) a[x + y] = row[x] ^ (~row[(x + 1) % 5] & row[(x + 2) % 5]);
    }
    a[0] ^= tables.constant[round];
  }
}

static void absorb(uint64_t* a, const uint8_t* block) {
  for (int i = 0; i < 17; i++)
    for (int j = 0; j < 8; j++) a[i] ^= (uint64_t)block[8 * i + j] << (8 * j);
  permute(a);
}

void keccak256(const uint8_t* data, size_t size, uint8_t out[32]) {
  uint64_t a[25] = {0};
  for (; size >= 136; size -= 136, data += 136) absorb(a, data);
  uint8_t last[136] = {0};
  if (size) memcpy(last, data, size);
  last[size] ^= 0x01;
  last[135] ^= 0x80;
  absorb(a, last);
  for (int i = 0; i < 32; i++) out[i] = (uint8_t)(a[i / 8] >> (8 * (i % 8)));
}

}  // namespace octet
