// A row program made ready to run: where carries and reductions may wait, they do.
//
// A value is counted by its bound in multiples of q and by whether its limbs are carried. Sums and
// differences only add limbs; products want carried operands whose bounds multiply to 64 at most, and
// give a carried value below 2q. Bounds stay at 16 or below, so that no limb overflows: a limb takes at
// most a bit for each of the few additions that 16q allows.
#pragma once
#include "packed.h"

namespace octet {
namespace OCTET_ARCH {

enum Operation : uint16_t { SUM, DIFFERENCE, PRODUCT, CARRY, REDUCE };

struct Instruction {
  uint16_t operation, to, left, right;
  int shift;
};

class ReadyProgram {
 public:
  // Tables and constants are carried and below 2q, and so is the result afterwards.
  void prepare(const Step* code, size_t steps, size_t registers, uint16_t result) {
    instructions_.resize(10 * steps + 10);
    count_ = 0;
    bound_.resize(registers);
    carried_.resize(registers);
    for (size_t r = 0; r < registers; r++) {
      bound_[r] = 2;
      carried_[r] = 1;
    }
    for (size_t i = 0; i < steps; i++) {
      const Step& s = code[i];
      if (!Lr::WAITS) {
        emit(s.operation == 0 ? SUM : s.operation == 1 ? DIFFERENCE : PRODUCT, s.to, s.left, s.right, 1);
      } else if (s.operation == 2) {
        carry(s.left);
        carry(s.right);
        while (bound_[s.left] * bound_[s.right] > 64) reduce(bound_[s.left] > bound_[s.right] ? s.left : s.right);
        emit(PRODUCT, s.to, s.left, s.right, 0);
        bound_[s.to] = 2;
        carried_[s.to] = 1;
      } else {
        int shift = 1;
        for (;;) {
          for (shift = 1; 1 << shift < bound_[s.right];) shift++;
          if (bound_[s.left] + (s.operation ? 1 << shift : bound_[s.right]) <= 16) break;
          reduce(bound_[s.left] > bound_[s.right] ? s.left : s.right);
        }
        const int bound = bound_[s.left] + (s.operation ? 1 << shift : bound_[s.right]);
        emit(s.operation ? DIFFERENCE : SUM, s.to, s.left, s.right, shift);
        bound_[s.to] = bound;
        carried_[s.to] = 0;
      }
    }
    if (Lr::WAITS) {
      carry(result);
      while (bound_[result] > 2) reduce(result);
    }
  }

  inline void run(Lr* reg) const {
    const Instruction* s = instructions_.data();
    for (size_t n = count_; n > 0; n--, s++) {
      switch (s->operation) {
        case PRODUCT:
          reg[s->to] = reg[s->left] * reg[s->right];
          break;
        case SUM:
          reg[s->to] = Lr::raw_sum(reg[s->left], reg[s->right]);
          break;
        case DIFFERENCE:
          reg[s->to] = s->shift == 1   ? Lr::raw_difference(reg[s->left], reg[s->right], 1)
                       : s->shift == 2 ? Lr::raw_difference(reg[s->left], reg[s->right], 2)
                                       : Lr::raw_difference(reg[s->left], reg[s->right], 3);
          break;
        case CARRY:
          reg[s->to] = Lr::carried(reg[s->to]);
          break;
        default:
          reg[s->to] = s->shift == 1   ? Lr::reduced(reg[s->to], 1)
                       : s->shift == 2 ? Lr::reduced(reg[s->to], 2)
                                       : Lr::reduced(reg[s->to], 3);
      }
    }
  }

 private:
  void emit(uint16_t operation, uint16_t to, uint16_t left, uint16_t right, int shift) {
    instructions_[count_++] = Instruction{operation, to, left, right, shift};
  }
  void carry(uint16_t r) {
    if (!carried_[r]) emit(CARRY, r, r, r, 0);
    carried_[r] = 1;
  }
  // Halves the range of a value above 2q.
  void reduce(uint16_t r) {
    carry(r);
    const int shift = bound_[r] > 8 ? 3 : bound_[r] > 4 ? 2 : 1;
    emit(REDUCE, r, r, r, shift);
    bound_[r] = 1 << shift;
  }

  Buffer<Instruction> instructions_;
  size_t count_ = 0;
  Buffer<int> bound_;
  Buffer<uint8_t> carried_;
};

}  // namespace OCTET_ARCH
}  // namespace octet
