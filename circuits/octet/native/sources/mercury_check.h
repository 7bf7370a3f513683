// Mercury's verifier (octet.md 3.9): one pairing equation says that a committed polynomial has a value at a
// point. The specification is mercury.py.
#pragma once
#include "few_points.h"
#include "pairing.h"
#include "proof_words.h"
#include "transcript.h"

namespace octet {
namespace OCTET_ARCH {

// prod (1 - u_j + u_j x^(2^j)).
static inline Fr eq_polynomial_at(const Fr* point, int variables, Fr x) {
  Fr product = Fr::one();
  const Fr one = product;
  for (int j = 0; j < variables; j++, x = x * x) product = product * (one - point[j] + point[j] * x);
  return product;
}

// That the polynomial of a commitment has `value` at `point`, which has 2 or more coordinates.
struct OpeningClaim {
  const Fr* point;
  int variables;
  Fr value;
  const uint8_t* words;  // OPENING_WORDS of them
};

// sum: of the commitment; the opening's points are added to it. The words are absorbed.
static inline Verdict check_opening(const OpeningClaim& claim, FewPoints& sum, Transcript& transcript, const PreparedG2& one_g2,
                                    const PreparedG2& tau_g2) {
  enum { H, Q, G, S, D, W, W_Y, PI };
  const uint8_t* const words = claim.words;
  List<PointWord> point;
  const uint8_t* const scalar_words = words + 32 * 10;
  Verdict verdict = read_points(words, 5, point);
  if (!verdict && !canonical_scalars(scalar_words, 6)) verdict = CANONICAL_SCALARS;
  if (!verdict) verdict = read_points(words + 32 * 16, 3, point);
  if (verdict) return verdict;
  const List<Fr> values = scalars(scalar_words, 6);

  const int low = (claim.variables + 1) / 2, high = claim.variables - low;
  const Fr *u1 = claim.point, *u2 = u1 + low;
  const Fr alpha = transcript.absorb("mercury h", -1, words, 2);
  const Fr gamma = transcript.absorb("mercury q g", -1, words + 32 * 2, 4);
  const Fr z = transcript.absorb("mercury s d", -1, words + 32 * 6, 4);
  const Fr delta = transcript.absorb("mercury values", -1, scalar_words, 6);
  const Fr y = transcript.absorb("mercury w", -1, words + 32 * 16, 2);
  const Fr zeta = transcript.absorb("mercury w_y pi", -1, words + 32 * 18, 4);
  const Fr zi = z.inverse(), one = Fr::one();
  if (OCTET_HOLDS("usable_challenges")) {
    if (alpha.is_zero() || z.is_zero() || y.is_zero()) return USABLE_CHALLENGES;
    if (z == zi || z == alpha || zi == alpha) return USABLE_CHALLENGES;
  }

  const Fr z_b = power(z, (u64)1 << low), half = Fr::from_int(2).inverse();
  const Fr &g_z = values[0], &g_zi = values[1], &h_z = values[2], &h_zi = values[3], &s_z = values[4], &s_zi = values[5];
  Fr symmetric = g_z * eq_polynomial_at(u1, low, zi) + g_zi * eq_polynomial_at(u1, low, z);
  symmetric = symmetric + gamma * (h_z * eq_polynomial_at(u2, high, zi) + h_zi * eq_polynomial_at(u2, high, z));
  const Fr h_alpha = (symmetric - z * s_z - zi * s_zi) * half - gamma * claim.value;
  const Fr d_z = OCTET_HOLDS("reversed_degree") ? z_b * zi * g_zi : Fr::zero();

  // What is opened of g, S, h and D, in the order of the powers of delta, interpolated at y.
  const bool three = OCTET_HOLDS("open_h_at_alpha");
  const Fr apart = (z - zi).inverse(), to_alpha = three ? y - alpha : one;
  const auto line = [&](const Fr& at_z, const Fr& at_zi) { return (at_z * (y - zi) - at_zi * (y - z)) * apart; };
  Fr h_line = line(h_z, h_zi);
  if (three) {
    // The quadratic through h(alpha) is the line plus what is missing at alpha, times (y - z)(y - 1/z).
    const Fr missing = h_alpha - (h_z * (alpha - zi) - h_zi * (alpha - z)) * apart;
    h_line = h_line + missing * (y - z) * (y - zi) * ((alpha - z) * (alpha - zi)).inverse();
  }
  const int opened_point[4] = {G, S, H, D};
  const Fr opened_at_y[4] = {line(g_z, g_zi), line(s_z, s_zi), h_line, d_z};
  const Fr elsewhere[4] = {to_alpha, to_alpha, one, (y - zi) * to_alpha};
  const auto add = [&](int which, const Fr& factor) {
    if (!point[which].infinite) sum.add(point[which].point, factor);
  };
  Fr constant = Fr::zero(), weight = one;
  for (int k = 0; k < 4; k++, weight = weight * delta) {
    const Fr factor = weight * elsewhere[k];
    add(opened_point[k], zeta * factor);
    constant = constant + factor * opened_at_y[k];
  }
  add(W, (zeta * (y - z) * (y - zi) * to_alpha).negated());
  add(W_Y, zeta * y);
  add(Q, alpha - z_b);
  add(PI, z);
  sum.add(Affine{Fq::one(), Fq::from_int(2)}, (g_z + zeta * constant).negated());

  FewPoints quotient;  // of opposite sign, so that both pairings multiply to 1
  if (!point[PI].infinite) quotient.add(point[PI].point, one.negated());
  if (!point[W_Y].infinite) quotient.add(point[W_Y].point, zeta.negated());
  Affine left, right;
  const Affine* const p1 = sum.sum(&left) ? &left : nullptr;
  const Affine* const p2 = quotient.sum(&right) ? &right : nullptr;
  if (OCTET_HOLDS("opening") && !pairing_is_one(p1, one_g2, p2, tau_g2)) return OPENING;
  return ACCEPTED;
}

}  // namespace OCTET_ARCH
}  // namespace octet
