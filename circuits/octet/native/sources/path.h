// The kernels of one path behind the table of functions of shared.h. Included once per path, after its
// lanes; checks every argument, because what calls it is another language.
#pragma once
#include <time.h>
#include "generator_multiples.h"
#include "prover.h"
#include "tables.h"

namespace octet {
namespace OCTET_ARCH {

template <class P>
static int field_batch_of(int operation, const u64* a, const u64* b, u64* out, size_t n) {
  typedef Lanes<P> L;
  typedef Field<P> F;
  for (size_t i = 0; i < n; i++)
    if (!F::canonical(a + 4 * i) || !F::canonical(b + 4 * i)) return NOT_CANONICAL;
  for (size_t i = 0; i < n; i += L::WIDTH) {
    L x = L::broadcast(F::zero()), y = x;
    const int count = (int)(n - i < (size_t)L::WIDTH ? n - i : L::WIDTH);
    for (int k = 0; k < count; k++) {
      x.set_lane(k, F::from_words(a + 4 * (i + k)));
      y.set_lane(k, F::from_words(b + 4 * (i + k)));
    }
    const L r = operation == 0 ? x + y : operation == 1 ? x - y : operation == 2 ? x * y : x * L::difference(x, y);
    for (int k = 0; k < count; k++) r.lane(k).to_words(out + 4 * (i + k));
  }
  return OK;
}

static int field_batch(int field, int operation, const u64* a, const u64* b, u64* out, size_t n) {
  if (field < 0 || field > 1 || operation < 0 || operation > 3) return BAD_SHAPE;
  return field ? field_batch_of<BasePrime>(operation, a, b, out, n) : field_batch_of<ScalarPrime>(operation, a, b, out, n);
}

// Products per second of processor time: eight independent chains of squarings, so that throughput is measured, not latency.
template <class P>
static double multiply_rate_of(size_t rounds) {
  typedef Lanes<P> L;
  L x[8];
  for (int k = 0; k < 8; k++) x[k] = L::broadcast(Field<P>::from_int(3 + (u64)k));
  struct timespec start, end;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &start);
  for (size_t i = 0; i < rounds; i++)
    for (int k = 0; k < 8; k++) x[k] = x[k] * x[k];
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &end);
  Field<P> all = Field<P>::zero();
  for (int k = 0; k < 8; k++) all = all + x[k].total();
  const double seconds = (double)(end.tv_sec - start.tv_sec) + 1e-9 * (double)(end.tv_nsec - start.tv_nsec);
  const double done = (double)rounds * 8 * L::WIDTH;
  return all.is_zero() ? 0 : done / seconds;  // the chains are used, so that they are computed
}
static double multiply_rate(int field, size_t rounds) {
  return field ? multiply_rate_of<BasePrime>(rounds) : multiply_rate_of<ScalarPrime>(rounds);
}

static bool read_point(const u64* words, int variables, Fr* out) {
  for (int j = 0; j < variables; j++) {
    if (!Fr::canonical(words + 4 * j)) return false;
    out[j] = Fr::from_words(words + 4 * j);
  }
  return true;
}

static bool all_canonical(const u64* words, size_t n) {
  for (size_t i = 0; i < n; i++)
    if (!Fr::canonical(words + 4 * i)) return false;
  return true;
}

static int eq_table(const u64* point, int variables, const u64* scale, u64* out) {
  Fr p[40];
  if (variables < 0 || variables > 30) return BAD_SHAPE;
  if (!read_point(point, variables, p) || !Fr::canonical(scale)) return NOT_CANONICAL;
  Packed table;
  eq_prefix(p, variables, (size_t)1 << variables, Fr::from_words(scale), table);
  for (size_t i = 0; i < table.length; i++) table.get(i).to_words(out + 4 * i);
  return OK;
}

static int evaluate(const u64* values, size_t n, const u64* point, int variables, u64* out) {
  Fr p[40];
  if (variables < 0 || variables > 30 || n > (size_t)1 << variables) return BAD_SHAPE;
  if (!read_point(point, variables, p) || !all_canonical(values, n)) return NOT_CANONICAL;
  Table table;
  table.set(values, n, Fr::zero());
  for (int j = 0; j < variables; j++) table.fold(p[j]);
  table.value().to_words(out);
  return OK;
}

static void* points_new(const u64* xy, size_t n, int* status) {
  Owned<Points> points(new Points);
  *status = OK;
  points->n = n;
  points->words.resize(n * POINT_WORDS);
  points->infinite.resize(n);
  points->words.clear_bytes();
  for (size_t i = 0; i < n && *status == OK; i++) {
    const u64* w = xy + 8 * i;
    u64 any = 0;
    for (int k = 0; k < 8; k++) any |= w[k];
    points->infinite[i] = !any;
    if (!any) continue;
    if (!Fq::canonical(w) || !Fq::canonical(w + 4)) {
      *status = NOT_CANONICAL;
      break;
    }
    const Affine a{Fq::from_words(w), Fq::from_words(w + 4)};
    if (!on_curve(a)) *status = NOT_ON_CURVE;
    pack_point(a, points->words.data() + i * POINT_WORDS);
  }
  if (*status != OK) return nullptr;
  points->prepare();
  return points.release();
}
static void points_free(void* points) { delete (Points*)points; }

static int msm_entry(const void* handle, const u64* scalars, int words, size_t n, int bits, int threads, u64* out) {
  const Points& points = *(const Points*)handle;
  if (n > points.n || threads < 1 || threads > 256) return BAD_SHAPE;
  if (words == 1 ? bits < 1 || bits > 64 : words != 4 || bits != 254) return BAD_SHAPE;
  if (words == 4 && !all_canonical(scalars, n)) return NOT_CANONICAL;
  if (words == 1 && bits < 64)
    for (size_t i = 0; i < n; i++)
      if (scalars[i] >> bits) return NOT_CANONICAL;
  to_words(msm(points, scalars, words, n, bits, threads), out);
  return OK;
}

static int generator_multiples(const u64* factors, size_t n, int threads, u64* out) {
  if (n > GeneratorMultiples::MOST || threads < 1 || threads > 256) return BAD_SHAPE;
  if (!all_canonical(factors, n)) return NOT_CANONICAL;
  for (size_t i = 0; i < n; i++)
    if (!(factors[4 * i] | factors[4 * i + 1] | factors[4 * i + 2] | factors[4 * i + 3])) return BAD_SHAPE;
  GeneratorMultiples multiples;
  multiples.compute(factors, n, threads, out);
  return OK;
}

static void* sumcheck_new(int variables, size_t active, int tables, const u64* const* values, const u64* lengths,
                          const u64* tails, int constants, const u64* constant_values, int steps, const Step* code,
                          int result, int degree, const u64* idle, int threads, int* status) {
  *status = BAD_SHAPE;
  if (variables < 1 || variables > 30 || active < 1 || active > (size_t)1 << variables) return nullptr;
  if (tables < 1 || tables > 1024 || constants < 0 || constants > 4096 || steps < 0 || steps > 65535) return nullptr;
  if (degree < 1 || degree > 16 || threads < 1 || threads > 256) return nullptr;
  // Every register is written before it is read, and neither tables nor constants are written.
  const int inputs = tables + constants;
  Buffer<uint8_t> written(65536);
  written.clear_bytes();
  for (int i = 0; i < inputs; i++) written[i] = 1;
  int registers = inputs;
  for (int i = 0; i < steps; i++) {
    const Step& s = code[i];
    if (s.operation > 2 || s.to < inputs || !written[s.left] || !written[s.right]) return nullptr;
    written[s.to] = 1;
    if (s.to + 1 > registers) registers = s.to + 1;
  }
  if (result < 0 || result >= registers || !written[result]) return nullptr;
  *status = NOT_CANONICAL;
  if (!all_canonical(tails, (size_t)tables) || !all_canonical(constant_values, (size_t)constants) || !Fr::canonical(idle))
    return nullptr;
  for (int t = 0; t < tables; t++) {
    if (lengths[t] > (size_t)1 << variables) {
      *status = BAD_SHAPE;
      return nullptr;
    }
    if (!all_canonical(values[t], lengths[t])) return nullptr;
  }
  Owned<SumCheck> s(new SumCheck);
  *status = OK;
  s->variables = variables;
  s->tables = tables;
  s->degree = degree;
  s->result = result;
  s->registers = registers;
  s->threads = threads;
  s->active = active;
  s->idle = Fr::from_words(idle);
  s->table.resize((size_t)tables);
  for (int t = 0; t < tables; t++) s->table[t] = nullptr;
  for (int t = 0; t < tables; t++) s->table[t] = new Table;
  auto fill = [&](int t) { s->table[t]->set(values[t], lengths[t], Fr::from_words(tails + 4 * t)); };
  spread(threads, tables, fill);
  s->constants.resize((size_t)constants);
  for (int c = 0; c < constants; c++) s->constants[c] = Lr::broadcast(Fr::from_words(constant_values + 4 * c));
  s->program.prepare(code, (size_t)steps, (size_t)registers, (uint16_t)result);
  return s.release();
}
static int sumcheck_round(void* handle, u64* out) {
  SumCheck& s = *(SumCheck*)handle;
  if (s.rounds >= s.variables) return BAD_SHAPE;
  Fr values[17];
  s.round(values);
  for (int i = 0; i < s.degree; i++) values[i].to_words(out + 4 * i);
  return OK;
}
static int sumcheck_bind(void* handle, const u64* challenge) {
  SumCheck& s = *(SumCheck*)handle;
  if (s.rounds >= s.variables) return BAD_SHAPE;
  if (!Fr::canonical(challenge)) return NOT_CANONICAL;
  s.bind(Fr::from_words(challenge));
  return OK;
}
static int sumcheck_final(void* handle, u64* out) {
  SumCheck& s = *(SumCheck*)handle;
  if (s.rounds != s.variables) return BAD_SHAPE;
  for (int t = 0; t < s.tables; t++) s.table[t]->value().to_words(out + 4 * t);
  return OK;
}
static void sumcheck_free(void* handle) { delete (SumCheck*)handle; }

static int mercury_open(const void* handle, const u64* values, int variables, const u64* point, uint8_t* state,
                        int threads, uint8_t* words) {
  const Points& points = *(const Points*)handle;
  Fr p[40];
  if (variables < 2 || variables > 30 || points.n < (size_t)1 << variables || threads < 1 || threads > 256) return BAD_SHAPE;
  if (!read_point(point, variables, p) || !all_canonical(values, (size_t)1 << variables)) return NOT_CANONICAL;
  const size_t n = (size_t)1 << variables;
  Poly f(n);
  for (size_t i = 0; i < n; i++) f.c[i] = Fr::from_words(values + 4 * i);
  Transcript transcript;
  transcript.resume(state);
  ProofWriter proof(transcript, words);
  const int status = mercury(points, f, variables, p, proof, threads, [](double) {});
  memcpy(state, transcript.state(), 32);
  return status;
}

static void* prover_new(const void* points, const int64_t* words, size_t count, const uint8_t* digest, const int64_t* keys,
                        size_t* proof_words, int* status) {
  Owned<Prover> prover(new Prover);
  prover->points = (const Points*)points;
  prover->keys = keys;
  memcpy(prover->digest, digest, 32);
  *status = BAD_SHAPE;
  if (!prover->program.decode(words, count) || prover->points->n < prover->program.rows() || !prover->prepare()) return nullptr;
  *proof_words = prover->words();
  *status = OK;
  return prover.release();
}
static void prover_free(void* prover) { delete (Prover*)prover; }
static int prove(const void* handle, const ProverCall& call) {
  if (call.threads < 1 || call.threads > 256) return BAD_SHAPE;
  List<uint8_t> states;
  const int status = ((const Prover*)handle)->prove(call, call.states ? &states : nullptr);
  if (call.states) {
    *call.steps = states.size() / 32;
    const size_t kept = *call.steps < call.capacity ? *call.steps : call.capacity;
    if (kept) memcpy(call.states, states.data(), 32 * kept);
  }
  return status;
}

static const Path kernels = {field_batch, multiply_rate, eq_table,       evaluate,       points_new,    points_free,
                             msm_entry,   sumcheck_new,  sumcheck_round, sumcheck_bind, sumcheck_final, sumcheck_free,
                             mercury_open, prover_new,     prover_free,   prove,         generator_multiples};

}  // namespace OCTET_ARCH
}  // namespace octet
