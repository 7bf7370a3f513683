// The C interface of the verifier, portable code for every machine. Numbers as in capi.cc: 4 words of 64
// bits, little-endian, plain; words of a proof are 32 bytes, big-endian. A handle is only read by
// octet_verify, so that threads may share it.
#define OCTET_ARCH portable
#include "verifier.h"

using namespace octet;
using namespace octet::portable;

#ifdef OCTET_REMOVABLE_CHECKS
#include <stdio.h>

static char removed[64];
static int times_met;

bool octet::check_holds(const char* name, int index) {
  char asked[sizeof removed];
  if (index < 0)
    snprintf(asked, sizeof asked, "%s", name);
  else
    snprintf(asked, sizeof asked, "%s[%d]", name, index);
  if (strcmp(asked, removed)) return true;
  times_met++;
  return false;
}
#endif

namespace {

int read_g1(const uint64_t* words, PointWord& out) {
  if (!Fq::canonical(words) || !Fq::canonical(words + 4)) return NOT_CANONICAL;
  out.point = Affine{Fq::from_words(words), Fq::from_words(words + 4)};
  out.infinite = out.point.x.is_zero() && out.point.y.is_zero();
  return out.infinite || on_curve(out.point) ? OK : NOT_ON_CURVE;
}

int read_g2(const uint64_t* words, G2Affine& out) {
  for (int i = 0; i < 4; i++)
    if (!Fq::canonical(words + 4 * i)) return NOT_CANONICAL;
  out = G2Affine{Fq2{Fq::from_words(words), Fq::from_words(words + 4)},
                 Fq2{Fq::from_words(words + 8), Fq::from_words(words + 12)}, false};
  return in_g2(out) ? OK : NOT_ON_CURVE;
}

// Commitments may be infinity (a column of zeros); [tau]_2 may not.
int read_key(VerifyingKey& key, const int64_t* program, size_t size, const uint64_t* commitments, size_t count,
             const uint8_t* digest, const uint64_t* tau_g2) {
  if (!key.program.decode(program, size) || count != (size_t)key.program.vk_columns) return BAD_SHAPE;
  memcpy(key.digest, digest, 32);
  int status = OK;
  for (size_t i = 0; i < count && status == OK; i++) {
    PointWord point;
    status = read_g1(commitments + 8 * i, point);
    key.commitments.push(point);
  }
  G2Affine tau;
  if (status == OK) status = read_g2(tau_g2, tau);
  if (status == OK) key.prepare(tau);
  return status;
}

}  // namespace

#pragma GCC visibility push(default)
extern "C" {

// program: words of encoded_program.py. tau_g2: x.c0, x.c1, y.c0, y.c1.
void* octet_verifier_new(const int64_t* program, size_t size, const uint64_t* commitments, size_t count,
                         const uint8_t* digest, const uint64_t* tau_g2, int* status) {
  VerifyingKey* key = new (std::nothrow) VerifyingKey;
  *status = NO_MEMORY;
  if (!key) return nullptr;
  try {
    *status = read_key(*key, program, size, commitments, count, digest, tau_g2);
  } catch (const NoMemory&) {
  }
  if (*status == OK) return key;
  delete key;
  return nullptr;
}
void octet_verifier_free(void* verifier) { delete (VerifyingKey*)verifier; }

// The number of words of this key's proofs.
size_t octet_verifier_words(const void* verifier) { return ((const VerifyingKey*)verifier)->lengths.all(); }

// *verdict becomes a Verdict. states: room for `capacity` states of the transcript, 32 bytes each, in the
// order of its steps; *steps becomes how many there were.
int octet_verify(const void* verifier, const uint8_t* context, size_t context_size, const uint8_t* inputs,
                 size_t input_count, const int64_t* outputs, size_t output_count, const uint8_t* words, size_t count,
                 int* verdict, uint8_t* states, size_t capacity, size_t* steps) {
  *steps = 0;
  try {
    const PublicStatement statement{context, context_size, inputs, input_count, outputs, output_count};
    List<uint8_t> recorded;
    *verdict = Verification(*(const VerifyingKey*)verifier, statement, words, count, capacity ? &recorded : nullptr).run();
    *steps = recorded.size() / 32;
    if (*steps) memcpy(states, recorded.data(), 32 * (*steps < capacity ? *steps : capacity));
  } catch (const NoMemory&) {
    return NO_MEMORY;
  }
  return OK;
}

// *equal becomes whether e(p1, q1) = e(p2, q2). Points of G1: x, y, infinity as 8 zero words; of G2: as tau_g2.
int octet_pairing_equal(const uint64_t* p1, const uint64_t* q1, const uint64_t* p2, const uint64_t* q2, int* equal) {
  try {
    G2Affine b1, b2;
    PointWord a1, a2;
    int status = read_g1(p1, a1);
    if (status == OK) status = read_g1(p2, a2);
    if (status == OK) status = read_g2(q1, b1);
    if (status == OK) status = read_g2(q2, b2);
    if (status != OK) return status;
    a2.point.y = a2.point.y.negated();
    *equal = pairing_is_one(a1.infinite ? nullptr : &a1.point, PreparedG2(b1), a2.infinite ? nullptr : &a2.point, PreparedG2(b2));
  } catch (const NoMemory&) {
    return NO_MEMORY;
  }
  return OK;
}

#ifdef OCTET_REMOVABLE_CHECKS
// Leaves out the check of this name, or none for "". One thread at a time.
void octet_test_remove(const char* name) {
  strncpy(removed, name, sizeof removed - 1);
  times_met = 0;
}
// How often a verification came to the check that is left out: 0 tells of a misspelt name.
int octet_test_met() { return times_met; }
#endif

}  // extern "C"
#pragma GCC visibility pop
