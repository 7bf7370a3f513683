// The words of a proof on their way out: they are written and absorbed in the same order, so that none can be
// forgotten (octet.md 3.10).
#pragma once
#include "msm.h"
#include "transcript.h"

namespace octet {
namespace OCTET_ARCH {

class ProofWriter {
 public:
  ProofWriter(Transcript& transcript, uint8_t* words) : transcript_(transcript), words_(words) {}

  void scalar(const Fr& x) {
    x.to_bytes(words_ + 32 * written_);
    written_++;
  }
  void point(const Jacobian& p) {
    u64 xy[8];
    to_words(p, xy);
    uint8_t* out = words_ + 32 * written_;
    bytes_of_words(xy, out);
    bytes_of_words(xy + 4, out + 32);
    written_ += 2;
  }
  // The challenge behind what was written since the last one.
  Fr challenge(const char* label, int index = -1) {
    const Fr c = transcript_.absorb(label, index, words_ + 32 * absorbed_, written_ - absorbed_);
    absorbed_ = written_;
    return c;
  }
  Fr squeeze() { return transcript_.squeeze(); }

 private:
  Transcript& transcript_;
  uint8_t* words_;
  size_t written_ = 0, absorbed_ = 0;
};

}  // namespace OCTET_ARCH
}  // namespace octet
