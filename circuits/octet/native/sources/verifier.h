// The verifier (octet.md 3.12): whether words are a proof of a statement, check after check in the order of
// the specification's verifier.py. It only reads the key, so that threads may share one.
#pragma once
#include "mercury_check.h"
#include "row_value.h"
#include "verifying_key.h"

namespace octet {
namespace OCTET_ARCH {

struct PublicStatement {
  const uint8_t* context;
  size_t context_size;
  const uint8_t* inputs;
  size_t input_count;
  const int64_t* outputs;
  size_t output_count;
};

class Verification {
 public:
  Verification(const VerifyingKey& key, const PublicStatement& statement, const uint8_t* words, size_t count, List<uint8_t>* states)
      : key_(key), program_(key.program), statement_(statement), words_(words), count_(count) {
    transcript_.record(states);
  }

  Verdict run() {
    Verdict verdict = check_statement();
    if (!verdict) verdict = check_form();
    if (!verdict) verdict = check_first_sum();
    if (!verdict) verdict = check_second_sum();
    if (verdict) return verdict;
    FewPoints commitment;
    add_columns(commitment);
    return check_opening(OpeningClaim{sigma_.data(), program_.nu, opened_, opening_}, commitment, transcript_, key_.one, key_.tau);
  }

 private:
  Verdict check_statement() const {
    if (OCTET_HOLDS("context_length") && statement_.context_size != CONTEXT_BYTES) return CONTEXT_LENGTH;
    if (statement_.input_count != program_.input_bytes) return INPUT_COUNT;
    if (OCTET_HOLDS("input_range") && !inputs_in_domain(program_, statement_.inputs)) return INPUT_RANGE;
    if (statement_.output_count != program_.output_values) return OUTPUT_COUNT;
    if (OCTET_HOLDS("output_range") && !outputs_in_range(program_, statement_.outputs)) return OUTPUT_RANGE;
    return ACCEPTED;
  }

  // The proof's length, its scalars and the points of R1 and R2; the opening's words are read in their turn.
  Verdict check_form() {
    const Lengths& n = key_.lengths;
    if (count_ < n.all() || (OCTET_HOLDS("exact_length") && count_ != n.all())) return PROOF_LENGTH;
    first_ = words_;
    second_ = first_ + 32 * n.first;
    first_rounds_ = second_ + 32 * n.second;
    claimed_ = first_rounds_ + 32 * n.first_rounds;
    second_rounds_ = claimed_ + 32 * n.claims;
    finals_ = second_rounds_ + 32 * n.second_rounds;
    opening_ = finals_ + 32 * n.finals;
    if (!canonical_scalars(first_rounds_, n.first_rounds + n.claims + n.second_rounds + n.finals)) return CANONICAL_SCALARS;
    return read_points(first_, (n.first + n.second) / 2, points_);
  }

  // Follows a sumcheck's messages: the value claimed at the point, and the point. The linear coefficient
  // is not sent, it follows from the claim.
  Fr follow_rounds(Fr claim, const uint8_t* words, int degree, const char* label, List<Fr>& point) {
    for (int round = 0; round < program_.nu; round++, words += 32 * degree) {
      const List<Fr> message = scalars(words, (size_t)degree);
      Fr linear = claim - message[0].doubled();
      for (int i = 1; i < degree; i++) linear = linear - message[i];
      const Fr x = transcript_.absorb(label, round, words, (size_t)degree);
      claim = Fr::zero();
      for (int i = degree; i-- > 1;) claim = (claim + message[i]) * x;
      claim = ((claim + linear) * x) + message[0];
      point.push(x);
    }
    return claim;
  }

  Verdict check_first_sum() {
    const Lengths& n = key_.lengths;
    seed(transcript_, program_, key_.digest, statement_.context, statement_.context_size, statement_.inputs, statement_.outputs);
    Challenges drawn;
    drawn.alpha = transcript_.absorb("first columns", -1, first_, n.first);
    drawn.beta = program_.table_count() ? transcript_.squeeze() : Fr::zero();
    if (!OCTET_HOLDS("own_beta")) drawn.beta = drawn.alpha;
    const Fr lambda = transcript_.absorb("second columns", -1, second_, n.second);
    const size_t of_rows = (size_t)(program_.constraints() + program_.balances());
    drawn.powers = powers(lambda, of_rows + program_.relations.size());
    for (int i = 0; i < program_.nu; i++) drawn.tau.push(transcript_.squeeze());
    wiring_ = wire(program_, drawn.tau.data(), drawn.powers.data() + of_rows, statement_.inputs, statement_.outputs);

    const Fr value = follow_rounds(wiring_.claim, first_rounds_, FIRST_DEGREE, "first sum", rho_);
    const List<Fr> claimed = scalars(claimed_, n.claims);
    const Fr expected = rows_at_rho(drawn, claimed) + products_at_rho(claimed);
    if (OCTET_HOLDS("first_sum") && !(value == expected)) return FIRST_SUM;
    mu_ = powers(transcript_.absorb("claims", -1, claimed_, n.claims), n.claims);
    for (size_t i = 0; i < n.claims; i++) batched_ = batched_ + mu_[i] * claimed[i];
    return ACCEPTED;
  }

  Fr rows_at_rho(const Challenges& drawn, const List<Fr>& claimed) const {
    List<Fr> values((size_t)program_.columns());
    for (size_t i = 0; i < claimed.size(); i++)
      if (key_.claims.list[i].kind == AT_RHO) values[key_.claims.list[i].column] = claimed[i];
    const PublicValues shown = public_values(program_, rho_.data());
    Fr sum = eq(drawn.tau.data(), rho_.data(), program_.nu) * row_constraints(program_, drawn, shown, values.data());
    sum = sum + balances(program_, drawn, values.data());
    for (int c = 0; c < program_.columns(); c++)
      for (const Piece& piece : wiring_.linear[c]) sum = sum + piece_at(piece, rho_.data(), program_.nu) * values[c];
    for (size_t l = 0; l < program_.relations.size(); l++) {
      const Target& target = wiring_.targets[l];
      if (target.variables < 0) continue;
      Fr left = Fr::zero();
      for (const LeftPart& part : left_side(program_, program_.relations[l])) left = left + part.factor * values[part.column];
      sum = sum + target.gamma * eq(drawn.tau.data(), rho_.data(), target.variables) *
                      block_at(target.offset, target.variables, rho_) * left;
    }
    return sum;
  }

  // The relations' products at rho_low, each halved for every round on which it does not live (A3).
  Fr products_at_rho(const List<Fr>& claimed) const {
    const Fr half = Fr::from_int(2).inverse();
    Fr sum = Fr::zero();
    for (size_t i = 0; i < wiring_.products.size(); i++) {
      const Product& product = wiring_.products[i];
      Fr left = claimed[key_.claims.source_of[i]];
      if (product.term->zero)
        left = left - from_signed(product.term->zero) * true_box(program_.source_shape(*product.term), rho_.data());
      sum = sum + product.factor * left * claimed[key_.claims.weight_of[i]] * power(half, (u64)(program_.nu - product.variables));
    }
    return sum;
  }

  Verdict check_second_sum() {
    const Lengths& n = key_.lengths;
    const Fr value = follow_rounds(batched_, second_rounds_, SECOND_DEGREE, "second sum", sigma_);
    List<Fr> of_column((size_t)program_.columns());
    for (size_t i = 0; i < key_.claims.list.size(); i++) {
      const Claim& claim = key_.claims.list[i];
      if (claim.kind != AT_RHO) of_column[claim.column] = of_column[claim.column] + mu_[i] * at_sigma(claim);
    }
    const List<Fr> finals = scalars(finals_, n.finals);
    Fr expected = eq(rho_.data(), sigma_.data(), program_.nu) * finals[0];
    for (size_t i = 1; i < finals.size(); i++) expected = expected + of_column[key_.claims.elsewhere[i - 1]] * finals[i];
    if (OCTET_HOLDS("second_sum") && !(value == expected)) return SECOND_SUM;
    kappa_ = powers(transcript_.absorb("finals", -1, finals_, n.finals), n.finals);
    for (size_t i = 0; i < n.finals; i++) opened_ = opened_ + kappa_[i] * finals[i];
    return ACCEPTED;
  }

  // The extension of "the row is one of the 2^variables from offset".
  Fr block_at(uint64_t offset, int variables, const List<Fr>& point) const {
    return eq_index(offset >> variables, point.data() + variables, program_.nu - variables);
  }

  // A claim's functional at sigma.
  Fr at_sigma(const Claim& claim) const {
    const Fr *rho = rho_.data(), *sigma = sigma_.data();
    if (claim.kind == SOURCE) return eq(rho, sigma, claim.variables) * block_at(claim.offset, claim.variables, sigma_);
    Fr sum = Fr::zero();
    for (const Piece& piece : weight_functional(program_, wiring_, claim.product, rho)) sum = sum + piece_at(piece, sigma, program_.nu);
    return sum;
  }

  // The commitment of f = sum mu^c column_c + kappa column + .., as multiples of the columns' commitments.
  void add_columns(FewPoints& sum) const {
    List<Fr> factors((size_t)program_.columns());
    for (size_t i = 0; i < key_.claims.list.size(); i++) {
      const Claim& claim = key_.claims.list[i];
      if (claim.kind == AT_RHO) factors[claim.column] = factors[claim.column] + mu_[i];
    }
    for (size_t i = 1; i < kappa_.size(); i++) {
      const int column = key_.claims.elsewhere[i - 1];
      factors[column] = factors[column] + kappa_[i];
    }
    for (int c = 0; c < program_.columns(); c++) {
      const size_t sent = points_.size();
      const PointWord& p = (size_t)c < sent ? points_[c] : key_.commitments[(size_t)c - sent];
      if (!p.infinite) sum.add(p.point, factors[c]);
    }
  }

  const VerifyingKey& key_;
  const Program& program_;
  const PublicStatement& statement_;
  const uint8_t* words_;
  size_t count_;
  const uint8_t *first_ = nullptr, *second_ = nullptr, *first_rounds_ = nullptr, *claimed_ = nullptr;
  const uint8_t *second_rounds_ = nullptr, *finals_ = nullptr, *opening_ = nullptr;
  Transcript transcript_;
  List<PointWord> points_;
  Wiring wiring_;
  List<Fr> rho_, sigma_, mu_, kappa_;
  Fr batched_ = Fr::zero(), opened_ = Fr::zero();
};

}  // namespace OCTET_ARCH
}  // namespace octet
