// A growing array of one path: moved, never copied; where memory is short it throws NoMemory. The standard
// containers stay out of these translation units for the reason buffer.h gives.
#pragma once
#include <new>
#include <stdlib.h>
#include "field.h"
#include "shared.h"

namespace octet {
namespace OCTET_ARCH {

template <class T>
class List {
 public:
  List() = default;
  explicit List(size_t n) : List() {  // so that what is there is freed when an element throws
    reserve(n);
    while (size_ < n) new ((void*)(data_ + size_++)) T();
  }
  List(List&& o) { take(o); }
  List& operator=(List&& o) {
    if (this != &o) {
      release();
      take(o);
    }
    return *this;
  }
  List(const List&) = delete;
  List& operator=(const List&) = delete;
  ~List() { release(); }

  void reserve(size_t n) {
    if (n <= capacity_) return;
    if (n > SIZE_MAX / sizeof(T)) throw NoMemory();
    T* grown = (T*)malloc(n * sizeof(T));
    if (!grown) throw NoMemory();
    for (size_t i = 0; i < size_; i++) {
      new ((void*)(grown + i)) T(static_cast<T&&>(data_[i]));
      data_[i].~T();
    }
    free(data_);
    data_ = grown;
    capacity_ = n;
  }
  T& push(T value) {
    if (size_ == capacity_) reserve(capacity_ ? 2 * capacity_ : 4);
    return *new ((void*)(data_ + size_++)) T(static_cast<T&&>(value));
  }
  void append(const T* values, size_t n) {
    for (size_t i = 0; i < n; i++) push(values[i]);
  }
  void clear() {
    for (size_t i = size_; i-- > 0;) data_[i].~T();
    size_ = 0;
  }

  size_t size() const { return size_; }
  T* data() { return data_; }
  const T* data() const { return data_; }
  T& operator[](size_t i) { return data_[i]; }
  const T& operator[](size_t i) const { return data_[i]; }
  T* begin() { return data_; }
  T* end() { return data_ + size_; }
  const T* begin() const { return data_; }
  const T* end() const { return data_ + size_; }

 private:
  void take(List& o) {
    data_ = o.data_;
    size_ = o.size_;
    capacity_ = o.capacity_;
    o.data_ = nullptr;
    o.size_ = o.capacity_ = 0;
  }
  void release() {
    clear();
    free(data_);
    data_ = nullptr;
    capacity_ = 0;
  }

  T* data_ = nullptr;
  size_t size_ = 0, capacity_ = 0;
};

}  // namespace OCTET_ARCH
}  // namespace octet
