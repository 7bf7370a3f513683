// Memory of one path. The standard containers are left out of these translation units on purpose: their
// functions have one name for all paths, and the linker would keep whichever it met first.
#pragma once
#include "shared.h"
#include "field.h"
#include "progress.h"

namespace octet {
namespace OCTET_ARCH {

template <class T>
class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(size_t n) { resize(n); }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  Buffer(Buffer&& o) { swap(o); }
  ~Buffer() { release(); }

  // Keeps nothing of what was there. Throws NoMemory.
  void resize(size_t n) {
    if (n <= capacity_) {
      size_ = n;
      return;
    }
    release();
    if (n > (SIZE_MAX - 63) / sizeof(T)) throw NoMemory();
    data_ = (T*)take_block((n * sizeof(T) + 63) / 64 * 64);
    if (!data_) throw NoMemory();
    capacity_ = size_ = n;
  }
  void release() {
    if (data_) give_block(data_, (capacity_ * sizeof(T) + 63) / 64 * 64);
    data_ = nullptr;
    size_ = capacity_ = 0;
  }
  void clear_bytes() { memset((void*)data_, 0, size_ * sizeof(T)); }
  void swap(Buffer& o) {
    T* d = data_;
    size_t s = size_, c = capacity_;
    data_ = o.data_;
    size_ = o.size_;
    capacity_ = o.capacity_;
    o.data_ = d;
    o.size_ = s;
    o.capacity_ = c;
  }
  size_t size() const { return size_; }
  T* data() { return data_; }
  const T* data() const { return data_; }
  T& operator[](size_t i) { return data_[i]; }
  const T& operator[](size_t i) const { return data_[i]; }

 private:
  T* data_ = nullptr;
  size_t size_ = 0, capacity_ = 0;
};

// An object that ends with its owner.
template <class T>
class Owned {
 public:
  explicit Owned(T* object) : object_(object) {}
  Owned(Owned&& o) : object_(o.release()) {}
  Owned(const Owned&) = delete;
  Owned& operator=(const Owned&) = delete;
  Owned& operator=(Owned&& o) {
    if (this != &o) {
      delete object_;
      object_ = o.release();
    }
    return *this;
  }
  ~Owned() { delete object_; }

  T* release() {
    T* object = object_;
    object_ = nullptr;
    return object;
  }
  T* get() const { return object_; }
  T* operator->() const { return object_; }
  T& operator*() const { return *object_; }

 private:
  T* object_;
};

template <class F>
void run_job(void* context, int k) {
  Progress::poll();
  (*(F*)context)(k);
}

template <class F>
void spread(int threads, int jobs, F& job) {
  parallel(threads, jobs, &run_job<F>, &job);
}

}  // namespace OCTET_ARCH
}  // namespace octet
