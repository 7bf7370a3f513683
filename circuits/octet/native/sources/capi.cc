// The C interface. Field elements are 4 words of 64 bits, little-endian, plain (not Montgomery) and below
// the prime; points are x then y, and 8 zero words are infinity. Every function but the constructors
// returns a Status of shared.h; a handle belongs to the path that made it and remembers it.
#include "shared.h"
#include <new>
#if defined(OCTET_HAS_ADX) || defined(OCTET_HAS_IFMA)
#include <cpuid.h>
#endif

using namespace octet;

namespace {

#if defined(OCTET_HAS_ADX) || defined(OCTET_HAS_IFMA)
bool has_adx() {  // the compiler's own question has no word for it
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b >> 19 & 1);
}
#endif

// What the compiler could make and the processor can run; the builtin also asks whether the operating
// system saves the wide registers.
bool has_path(int path) {
#ifdef OCTET_HAS_ADX
  if (path == 1) return __builtin_cpu_supports("bmi2") && has_adx();
#endif
#ifdef OCTET_HAS_IFMA
  if (path == 2)
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512ifma") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("bmi2") &&
           has_adx();
#endif
  return path == 0;
}

const Path* path_of(int path) {
  if (!has_path(path)) return nullptr;
#ifdef OCTET_HAS_ADX
  if (path == 1) return &adx_path();
#endif
#ifdef OCTET_HAS_IFMA
  if (path == 2) return &ifma_path();
#endif
  return &scalar_path();
}

struct Handle {
  const Path* path;
  void* object;
};

// No exception leaves the library.
template <class F>
int guarded(const F& work) {
  try {
    return work();
  } catch (const NoMemory&) {
    return NO_MEMORY;
  } catch (const std::bad_alloc&) {
    return NO_MEMORY;
  } catch (const Cancelled&) {
    return CANCELLED;
  }
}

// What `make` makes, with the path it belongs to.
template <class F>
Handle* wrapped(const Path* path, int* status, const F& make) {
  Handle* handle = nullptr;
  const int failed = guarded([&] {
    handle = new Handle{path, nullptr};
    handle->object = make();
    return (int)OK;
  });
  if (failed) *status = failed;
  if (handle && handle->object) return handle;
  delete handle;
  return nullptr;
}

}  // namespace

#pragma GCC visibility push(default)
extern "C" {

int octet_abi() { return 1; }
// 0 scalar, 1 ADX, 2 AVX512-IFMA.
int octet_has_path(int path) { return has_path(path); }

void octet_keccak256(const uint8_t* data, size_t size, uint8_t* out) { keccak256(data, size, out); }

int octet_field_batch(int path, int field, int operation, const uint64_t* a, const uint64_t* b, uint64_t* out, size_t n) {
  const Path* p = path_of(path);
  return p ? guarded([&] { return p->field_batch(field, operation, a, b, out, n); }) : BAD_SHAPE;
}
double octet_multiply_rate(int path, int field, size_t rounds) {
  const Path* p = path_of(path);
  return p ? p->multiply_rate(field, rounds) : 0;
}
int octet_eq_table(int path, const uint64_t* point, int variables, const uint64_t* scale, uint64_t* out) {
  const Path* p = path_of(path);
  return p ? guarded([&] { return p->eq_table(point, variables, scale, out); }) : BAD_SHAPE;
}
int octet_evaluate(int path, const uint64_t* values, size_t n, const uint64_t* point, int variables, uint64_t* out) {
  const Path* p = path_of(path);
  return p ? guarded([&] { return p->evaluate(values, n, point, variables, out); }) : BAD_SHAPE;
}

void* octet_points_new(int path, const uint64_t* xy, size_t n, int* status) {
  const Path* p = path_of(path);
  *status = BAD_SHAPE;
  return p ? wrapped(p, status, [&] { return p->points_new(xy, n, status); }) : nullptr;
}
void octet_points_free(void* points) {
  Handle* h = (Handle*)points;
  h->path->points_free(h->object);
  delete h;
}
int octet_msm(const void* points, const uint64_t* scalars, int words, size_t n, int bits, int threads, uint64_t* out) {
  const Handle* h = (const Handle*)points;
  return guarded([&] { return h->path->msm(h->object, scalars, words, n, bits, threads, out); });
}
int octet_mercury_open(const void* points, const uint64_t* values, int variables, const uint64_t* point, uint8_t* state,
                       int threads, uint8_t* words) {
  const Handle* h = (const Handle*)points;
  return guarded([&] { return h->path->mercury_open(h->object, values, variables, point, state, threads, words); });
}

// factors: none of them 0. out: 8 words a point, in Montgomery form with R = 2^256, as an SRS file holds them.
int octet_generator_multiples(int path, const uint64_t* factors, size_t n, int threads, uint64_t* out) {
  const Path* p = path_of(path);
  return p ? guarded([&] { return p->generator_multiples(factors, n, threads, out); }) : BAD_SHAPE;
}

void* octet_sumcheck_new(int path, int variables, size_t active, int tables, const uint64_t* const* values,
                         const uint64_t* lengths, const uint64_t* tails, int constants, const uint64_t* constant_values,
                         int steps, const Step* code, int result, int degree, const uint64_t* idle, int threads,
                         int* status) {
  const Path* p = path_of(path);
  *status = BAD_SHAPE;
  return p ? wrapped(p, status, [&] { return p->sumcheck_new(variables, active, tables, values, lengths, tails, constants, constant_values,
                                        steps, code, result, degree, idle, threads, status); })
           : nullptr;
}
int octet_sumcheck_round(void* sumcheck, uint64_t* out) {
  Handle* h = (Handle*)sumcheck;
  return guarded([&] { return h->path->sumcheck_round(h->object, out); });
}
int octet_sumcheck_bind(void* sumcheck, const uint64_t* challenge) {
  Handle* h = (Handle*)sumcheck;
  return guarded([&] { return h->path->sumcheck_bind(h->object, challenge); });
}
int octet_sumcheck_final(void* sumcheck, uint64_t* out) {
  Handle* h = (Handle*)sumcheck;
  return guarded([&] { return h->path->sumcheck_final(h->object, out); });
}
void octet_sumcheck_free(void* sumcheck) {
  Handle* h = (Handle*)sumcheck;
  h->path->sumcheck_free(h->object);
  delete h;
}

// `points` and `keys` stay the caller's and must outlive the prover. keys: the key's columns of 2^nu integers.
void* octet_prover_new(const void* points, const int64_t* words, size_t count, const uint8_t* digest, const int64_t* keys,
                       size_t* proof_words, int* status) {
  const Handle* h = (const Handle*)points;
  return wrapped(h->path, status, [&] { return h->path->prover_new(h->object, words, count, digest, keys, proof_words, status); });
}
void octet_prover_free(void* prover) {
  Handle* h = (Handle*)prover;
  h->path->prover_free(h->object);
  delete h;
}
int octet_prove(const void* prover, const uint8_t* context, const uint8_t* inputs, const int64_t* outputs,
                const uint8_t* const* limbs, const int64_t* value, const int64_t* const* multiplicities, int threads,
                int (*tell)(int, double), double* seconds, uint8_t* words, uint8_t* states, size_t capacity, size_t* steps) {
  const Handle* h = (const Handle*)prover;
  return guarded([&] { return h->path->prove(h->object, ProverCall{context, inputs, outputs, limbs, value, multiplicities, threads, tell,
                                              seconds, words, states, capacity, steps}); });
}

}  // extern "C"
#pragma GCC visibility pop
