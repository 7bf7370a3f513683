// The Fiat-Shamir transcript (octet.md 3.8, 3.10): one keccak state, absorbed into and squeezed. Every word
// of a proof goes in once, in the order of the proof, before the challenge that follows it.
#pragma once
#include "checks.h"
#include "list.h"

namespace octet {
namespace OCTET_ARCH {

class Transcript {
 public:
  // The first state: keccak256 of everything that is known before the proof.
  void start(const uint8_t* bytes, size_t size) { keccak256(bytes, size, state_); }

  // Goes on from a state of 32 bytes.
  void resume(const uint8_t* state) { memcpy(state_, state, 32); }

  // Takes in the next words of the proof, 32 bytes each, and gives the challenge that follows them.
  // `label` and `index` (-1: none) name the message as the specification's events do.
  Fr absorb(const char* label, int index, const uint8_t* words, size_t count) {
    if (!OCTET_HOLDS_AT(label, index)) return squeeze();
    List<uint8_t> message;
    message.reserve(32 * (1 + count));
    message.append(state_, 32);
    message.append(words, 32 * count);
    keccak256(message.data(), message.size(), state_);
    return challenge();
  }

  // One more challenge; what is absorbed next goes on from here.
  Fr squeeze() {
    uint8_t before[32];
    memcpy(before, state_, 32);
    keccak256(before, 32, state_);
    return challenge();
  }

  const uint8_t* state() const { return state_; }
  // From now on each step appends its state, 32 bytes, there.
  void record(List<uint8_t>* states) { states_ = states; }

 private:
  Fr challenge() {
    if (states_) states_->append(state_, 32);
    return Fr::from_bytes_reduced(state_);
  }

  uint8_t state_[32] = {0};
  List<uint8_t>* states_ = nullptr;
};

}  // namespace OCTET_ARCH
}  // namespace octet
