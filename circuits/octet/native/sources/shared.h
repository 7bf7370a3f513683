// What the paths share: plain functions compiled once without special instructions, and plain records.
#pragma once
#include <stddef.h>
#include <stdint.h>

namespace octet {

// Calls job(context, k) for k in [0, jobs) on at most `threads` threads; returns when all are done.
void parallel(int threads, int jobs, void (*job)(void* context, int k), void* context);

// Memory on lines of the cache, or null; `bytes` is a multiple of 64, and is said again where it is given back.
void* take_block(size_t bytes);
void give_block(void* block, size_t bytes);

void keccak256(const uint8_t* data, size_t size, uint8_t out[32]);

// A step of a row program; registers: the tables, then the constants, then what steps write.
struct Step {
  uint16_t operation;  // 0 add, 1 subtract, 2 multiply
  uint16_t to, left, right;
};

// Thrown where memory is short; each function of the C interface that works on a program answers NO_MEMORY.
struct NoMemory {};
// Thrown where the caller does not want to go on.
struct Cancelled {};

enum Status : int { OK = 0, NOT_CANONICAL = 1, NOT_ON_CURVE = 2, BAD_SHAPE = 3, NO_MEMORY = 4, DEGENERATE = 5, CANCELLED = 6, WRONG_WITNESS = 7 };

// What a proof is made of; all pointers are the caller's.
struct ProverCall {
  const uint8_t *context, *inputs;      // 32 bytes; one byte per public input element
  const int64_t* outputs;
  const uint8_t* const* limbs;          // 2^nu bytes per limb column
  const int64_t* value;                 // V, 2^nu; not read without tables
  const int64_t* const* multiplicities; // M, then one per table, 2^nu each
  int threads;
  int (*tell)(int phase, double done);  // may be null; not 0 means to stop
  double* seconds;                      // one per phase, 8
  uint8_t* words;                       // of the proof, 32 bytes each
  uint8_t* states;                      // of the transcript, 32 bytes each, or null
  size_t capacity;                      // how many states there is room for
  size_t* steps;                        // how many there were
};

// One path: every kernel, over opaque handles. The argument forms are those of capi.cc.
struct Path {
  int (*field_batch)(int field, int operation, const uint64_t* a, const uint64_t* b, uint64_t* out, size_t n);
  double (*multiply_rate)(int field, size_t rounds);
  int (*eq_table)(const uint64_t* point, int variables, const uint64_t* scale, uint64_t* out);
  int (*evaluate)(const uint64_t* values, size_t n, const uint64_t* point, int variables, uint64_t* out);
  void* (*points_new)(const uint64_t* xy, size_t n, int* status);
  void (*points_free)(void* points);
  int (*msm)(const void* points, const uint64_t* scalars, int words, size_t n, int bits, int threads, uint64_t* out);
  void* (*sumcheck_new)(int variables, size_t active, int tables, const uint64_t* const* values,
                        const uint64_t* lengths, const uint64_t* tails, int constants,
                        const uint64_t* constant_values, int steps, const Step* code, int result, int degree,
                        const uint64_t* idle, int threads, int* status);
  int (*sumcheck_round)(void* sumcheck, uint64_t* out);
  int (*sumcheck_bind)(void* sumcheck, const uint64_t* challenge);
  int (*sumcheck_final)(void* sumcheck, uint64_t* out);
  void (*sumcheck_free)(void* sumcheck);
  int (*mercury_open)(const void* points, const uint64_t* values, int variables, const uint64_t* point,
                      uint8_t* state, int threads, uint8_t* words);
  void* (*prover_new)(const void* points, const int64_t* words, size_t count, const uint8_t* digest,
                      const int64_t* keys, size_t* proof_words, int* status);
  void (*prover_free)(void* prover);
  int (*prove)(const void* prover, const ProverCall& call);
  int (*generator_multiples)(const uint64_t* factors, size_t n, int threads, uint64_t* out);
};

const Path& scalar_path();
#ifdef OCTET_HAS_ADX
const Path& adx_path();
#endif
#ifdef OCTET_HAS_IFMA
const Path& ifma_path();
#endif

}  // namespace octet
