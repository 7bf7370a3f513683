// The words of a proof as a verifier reads them (octet.md 3.8, 3.12): each scalar below r, each coordinate
// below q, each point on the curve, or the proof is refused.
#pragma once
#include "checks.h"
#include "curve.h"
#include "list.h"

namespace octet {
namespace OCTET_ARCH {

// The check that refused, numbered for verifier.py's names.
enum Verdict : int {
  ACCEPTED,
  CONTEXT_LENGTH,
  INPUT_COUNT,
  INPUT_RANGE,
  OUTPUT_COUNT,
  OUTPUT_RANGE,
  PROOF_LENGTH,
  CANONICAL_SCALARS,
  CANONICAL_POINTS,
  ON_CURVE,
  FIRST_SUM,
  SECOND_SUM,
  USABLE_CHALLENGES,
  OPENING
};

// A point that may be infinity.
struct PointWord {
  Affine point;
  bool infinite;
};

template <class F>
static inline bool canonical_word(const uint8_t* word) {
  u64 w[4];
  words_of_bytes(word, w);
  return F::canonical(w);
}

static inline bool canonical_scalars(const uint8_t* words, size_t count) {
  if (!OCTET_HOLDS("canonical_scalars")) return true;
  for (size_t i = 0; i < count; i++)
    if (!canonical_word<Fr>(words + 32 * i)) return false;
  return true;
}

static inline Verdict read_points(const uint8_t* words, size_t count, List<PointWord>& out) {
  for (size_t i = 0; i < count; i++) {
    const uint8_t* word = words + 64 * i;
    if (OCTET_HOLDS("canonical_points") && !(canonical_word<Fq>(word) && canonical_word<Fq>(word + 32))) return CANONICAL_POINTS;
    const Affine a{Fq::from_bytes_reduced(word), Fq::from_bytes_reduced(word + 32)};
    const bool infinite = a.x.is_zero() && a.y.is_zero();
    if (OCTET_HOLDS("on_curve") && !infinite && !on_curve(a)) return ON_CURVE;
    out.push(PointWord{a, infinite});
  }
  return ACCEPTED;
}

static inline List<Fr> scalars(const uint8_t* words, size_t count) {
  List<Fr> values;
  values.reserve(count);
  for (size_t i = 0; i < count; i++) values.push(Fr::from_bytes_reduced(words + 32 * i));
  return values;
}

}  // namespace OCTET_ARCH
}  // namespace octet
