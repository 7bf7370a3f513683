// The words of a public input: which bytes one integer holds (docs/octet.md, public inputs; input_words.py).
#pragma once
#include "shape.h"

namespace octet {
namespace OCTET_ARCH {

static constexpr uint32_t WORD_BYTES = 16;  // of an input's word at most

// An input as a tensor of words. A line is its last axis, with the axes before it while it is an exact power
// of two and shorter than a word may be.
struct WordLayout {
  Shape words;      // true lengths; word k stands on rows k 2^lane_bits and on, in the input's block
  uint32_t line;    // elements of a line
  int lane_bits;    // log2 of a word's elements
  uint32_t width;   // bytes of an element

  uint32_t lanes() const { return (uint32_t)1 << lane_bits; }

  // shape: of at most 2^26 padded elements; width: 1 or 2.
  static WordLayout of(const Shape& shape, uint32_t width) {
    WordLayout layout;
    layout.width = width;
    const uint32_t most = WORD_BYTES / width;
    int outer = shape.rank - 1;
    layout.line = shape.length[outer];
    while (outer > 0 && layout.line < most && (layout.line & (layout.line - 1)) == 0) layout.line *= shape.length[--outer];
    for (layout.lane_bits = 0; layout.lanes() < most && layout.lanes() < layout.line;) layout.lane_bits++;
    for (int i = 0; i < outer; i++) layout.words.add(shape.length[i]);
    layout.words.add((layout.line + layout.lanes() - 1) / layout.lanes());
    return layout;
  }

  // A word, big-endian in 32 bytes: the first element highest, no byte behind the end of a line.
  void write(const uint8_t* elements, uint64_t word, uint8_t* out) const {
    const uint32_t per_line = words.length[words.rank - 1], first = (uint32_t)(word % per_line) * lanes();
    const uint32_t count = line - first < lanes() ? line - first : lanes();
    const uint8_t* from = elements + word / per_line * line + first;
    memset(out, 0, 32);
    for (uint32_t lane = 0; lane < count; lane++) out[32 - (lanes() - lane) * width + width - 1] = from[lane];
  }
};

}  // namespace OCTET_ARCH
}  // namespace octet
