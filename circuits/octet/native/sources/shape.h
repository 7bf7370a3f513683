// The axes of a tensor, each padded to a power of two (octet.md 3.5).
#pragma once
#include "list.h"

namespace octet {
namespace OCTET_ARCH {

static constexpr int MAX_RANK = 12;

// Axes, the slowest first.
struct Shape {
  int rank = 0;
  uint32_t length[MAX_RANK];  // true
  int bits[MAX_RANK];         // log2 of the padded length
  int variables = 0;          // sum of bits
  uint64_t count = 0;         // true elements

  uint64_t size() const { return (uint64_t)1 << variables; }
  uint32_t padded(int axis) const { return (uint32_t)1 << bits[axis]; }
  bool operator==(const Shape& o) const {
    if (rank != o.rank) return false;
    for (int i = 0; i < rank; i++)
      if (length[i] != o.length[i]) return false;
    return true;
  }
  // Adds an axis behind the others; the caller sees to it that the sizes fit.
  void add(uint32_t true_length) {
    int& log2 = bits[rank];
    for (log2 = 0; ((uint32_t)1 << log2) < true_length;) log2++;
    length[rank++] = true_length;
    variables += log2;
    count = (rank == 1 ? 1 : count) * true_length;
  }
};

}  // namespace OCTET_ARCH
}  // namespace octet
