// What a proof is about, and the form of its words (octet.md 3.8, 3.11, 3.12): ranges of public values, the
// seed that binds them, and how many words each message has.
#pragma once
#include "transcript.h"
#include "wiring.h"

namespace octet {
namespace OCTET_ARCH {

static constexpr int FIRST_DEGREE = 6, SECOND_DEGREE = 2, OPENING_WORDS = 22;
static constexpr int64_t INT32_BOUND = (int64_t)1 << 31;

static inline bool inputs_in_domain(const Program& program, const uint8_t* inputs) {
  for (const InputTensor& t : program.inputs)
    for (uint64_t i = 0; i < t.shape.count; i++)
      if (inputs[t.first + i] < t.low || inputs[t.first + i] > t.high) return false;
  return true;
}

static inline bool outputs_in_range(const Program& program, const int64_t* outputs) {
  for (const OutputTensor& t : program.outputs) {
    const int64_t low = t.kind == INT32 ? 1 - INT32_BOUND : 0;
    const int64_t high = t.kind == INT32 ? INT32_BOUND - 1 : t.kind == BYTE ? 255 : (int64_t)t.shape.count - 1;
    for (uint64_t i = 0; i < t.count; i++)
      if (outputs[t.first + i] < low || outputs[t.first + i] > high) return false;
  }
  return true;
}

static constexpr size_t CONTEXT_BYTES = 32;

// All inputs' words, 32 bytes each.
static inline List<uint8_t> input_words(const Program& program, const uint8_t* inputs) {
  List<uint8_t> words(32 * (size_t)program.input_words);
  uint8_t* at = words.data();
  for (const InputTensor& t : program.inputs)
    for (uint64_t i = 0; i < t.layout.words.count; i++, at += 32) t.layout.write(inputs + t.first, i, at);
  return words;
}

// st = keccak(tag, vk digest, context, keccak(input words), outputs as field elements). Nothing separates the
// parts but their lengths: whoever calls has checked that the context has CONTEXT_BYTES.
static inline void seed(Transcript& transcript, const Program& program, const uint8_t* digest, const uint8_t* context,
                        size_t context_size, const uint8_t* inputs, const int64_t* outputs) {
  const size_t behind = 64 + context_size;
  List<uint8_t> message(behind + 32 * (1 + (size_t)program.output_values));
  if (OCTET_HOLDS("seed_tag")) memcpy(message.data(), "OCTET proof v2", 14);
  if (OCTET_HOLDS("seed_digest")) memcpy(message.data() + 32, digest, 32);
  if (OCTET_HOLDS("seed_context") && context_size) memcpy(message.data() + 64, context, context_size);
  const List<uint8_t> words = input_words(program, inputs);
  if (OCTET_HOLDS("seed_inputs")) keccak256(words.data(), words.size(), message.data() + behind);
  if (OCTET_HOLDS("seed_outputs"))
    for (uint64_t i = 0; i < program.output_values; i++)
      from_signed(outputs[i]).to_bytes(message.data() + behind + 32 * (1 + i));
  transcript.start(message.data(), message.size());
}

// The number of words of each message, and of the proof.
struct Lengths {
  size_t first, second, first_rounds, claims, second_rounds, finals, opening;
  size_t all() const { return first + second + first_rounds + claims + second_rounds + finals + opening; }
};

static inline Lengths lengths(const Program& program, const Claims& found) {
  return Lengths{2 * (size_t)program.first_columns(), 2 * (size_t)program.second_columns(), (size_t)(FIRST_DEGREE * program.nu),
                 found.list.size(), (size_t)(SECOND_DEGREE * program.nu), 1 + found.elsewhere.size(), (size_t)OPENING_WORDS};
}

}  // namespace OCTET_ARCH
}  // namespace octet
