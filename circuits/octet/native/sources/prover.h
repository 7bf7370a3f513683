// The prover: from the columns of a witness to the words of a proof (octet.md 3.8, 3.9).
//
// It computes what the specification says and does not look whether the columns satisfy anything, but for two
// assumptions that spare it work: no column holds anything behind `used`, which it finds itself, and V is the
// table's value of Y on the rows that ask a table, which it checks.
#pragma once
#include "commitments.h"
#include "mercury.h"
#include "second_sum.h"
#include "statement.h"

namespace octet {
namespace OCTET_ARCH {

static constexpr int MOST_SATURATION = 6;  // bytes of P and of N: their integers stay below 2^62

class Prover {
 public:
  Program program;
  const Points* points = nullptr;
  Affine all;                     // the sum of the first 2^nu of them
  const int64_t* keys = nullptr;  // the key's columns of 2^nu integers, one behind the other
  uint8_t digest[32];

  // Called once, when everything above is set. False when the points add up to infinity, as no SRS does.
  bool prepare() {
    if (program.saturation > MOST_SATURATION) return false;
    Buffer<u64> ones(program.rows());
    for (size_t i = 0; i < ones.size(); i++) ones[i] = 1;
    const Jacobian sum = msm(*points, ones.data(), 1, ones.size(), 1, 1);
    if (sum.is_infinity()) return false;
    all = affine(sum);
    return true;
  }

  // How many words a proof has: the program alone decides.
  size_t words() const { return lengths(program, claims(program)).all(); }

  // states: of the transcript, 32 bytes for each step, or none. Throws NoMemory and Cancelled.
  int prove(const ProverCall& a, List<uint8_t>* states) const {
    if (!inputs_in_domain(program, a.inputs) || !outputs_in_range(program, a.outputs)) return WRONG_WITNESS;
    WitnessColumns witness;
    take_witness(a, witness);
    if (!tables_hold(witness)) return WRONG_WITNESS;
    witness.holds = rows_hold(witness);
    Progress progress(a.tell, a.seconds);
    Transcript transcript;
    transcript.record(states);
    seed(transcript, program, digest, a.context, CONTEXT_BYTES, a.inputs, a.outputs);
    ProofWriter proof(transcript, a.words);

    progress.begin(FIRST_COMMITMENTS);
    Commitments commitments(program, witness, *points, all, a.threads);
    commitments.first(proof);
    Challenges c;
    c.alpha = proof.challenge("first columns");
    c.beta = program.table_count() ? proof.squeeze() : Fr::zero();
    progress.begin(SECOND_COLUMNS);
    ByteFunctions bytes;
    if (!bytes.set(program, witness, c.alpha, c.beta)) return DEGENERATE;
    progress.begin(SECOND_COMMITMENTS);
    commitments.second(bytes, proof);
    const Fr lambda = proof.challenge("second columns");

    progress.begin(WIRING);
    const size_t fixed = (size_t)(program.constraints() + program.balances());
    c.powers = powers(lambda, fixed + program.relations.size());
    for (int i = 0; i < program.nu; i++) c.tau.push(proof.squeeze());
    const Wiring wiring = wire(program, c.tau.data(), c.powers.data() + fixed, a.inputs, a.outputs);
    const Claims found = claims(program);
    List<Fr> rho, sigma;
    Fr mu;
    {
      FirstSum first(program, witness, bytes, c, wiring, keys, a.threads);
      progress.begin(FIRST_SUM);
      first.prove(proof, progress, rho);
      progress.begin(CLAIMS);
      for (const Claim& claim : found.list) proof.scalar(claimed(claim, found, wiring, first, rho.data()));
      mu = proof.challenge("claims");
    }
    progress.begin(SECOND_SUM);
    Poly f;
    {
      SecondSum second(program, witness, bytes, found, wiring, keys, rho.data(), mu, a.threads);
      const Fr kappa = second.prove(proof, progress, sigma);
      f.reset(program.rows());
      second.combined(kappa, f.c.data());
    }
    progress.begin(OPENING);
    const int status = mercury(*points, f, program.nu, sigma.data(), proof, a.threads, [&](double done) { progress.at(done); });
    progress.end();
    return status;
  }

 private:
  void take_witness(const ProverCall& a, WitnessColumns& w) const {
    const size_t rows = program.rows(), step = 2 * (size_t)Lr::WIDTH;
    for (const Block& block : program.blocks) {
      const size_t end = (size_t)(block.offset + block.shape.size());
      w.used = end > w.used ? end : w.used;
    }
    for (int c = 0; c < program.limbs(); c++) {
      w.limbs.push(a.limbs[c]);
      for (size_t i = rows; i > w.used; i--)
        if (a.limbs[c][i - 1]) w.used = i;
    }
    w.value = a.value;
    for (size_t i = rows; program.table_count() && i > w.used; i--)
      if (a.value[i - 1]) w.used = i;
    w.used = (w.used + step - 1) / step * step;
    if (!w.used) w.used = step;
    for (int t = 0; t <= program.table_count(); t++) w.multiplicities.push(a.multiplicities[t]);
    for (int f = 0; f < program.table_count(); f++) w.tables.push(table_values(f));
    for (int f = 0; f < program.table_count(); f++) {
      Buffer<uint8_t> asked(w.used);
      asked.clear_bytes();
      for (const Block& block : program.blocks)
        if (block.table == f) for_each_element(block.shape, [&](u64, u64 row) { asked[block.offset + row] = 1; });
      w.asked.push(static_cast<Buffer<uint8_t>&&>(asked));
    }
  }
  const int64_t* table_values(int f) const {
    const KeyTensor& values = program.vk_tensors[program.tables[f].values];
    return keys + (size_t)values.column * program.rows() + values.offset;
  }
  // Whether V is the table's value of Y where a table is asked, and 0 elsewhere.
  bool tables_hold(const WitnessColumns& w) const {
    for (size_t i = 0; i < w.used && program.table_count(); i++) {
      int64_t expected = 0;
      for (int f = 0; f < program.table_count(); f++)
        if (w.asked[f][i]) expected = w.tables[f][w.limbs[0][i]];
      if (w.value[i] != expected) return false;
    }
    return true;
  }

  // P (255 - Y) = 0, N Y = 0, and one of a maximum's differences is 0.
  bool rows_hold(const WitnessColumns& w) const {
    for (size_t i = 0; i < w.used; i++) {
      int above = 0, below = 0;
      bool positive = program.slots > 0;
      for (int k = 0; k < program.saturation; k++) {
        above |= w.limbs[program.p(k)][i];
        below |= w.limbs[program.n(k)][i];
      }
      for (int s = 0; s < program.slots; s++) positive = positive && w.limbs[program.d(s)][i];
      if ((above && w.limbs[0][i] != 255) || (below && w.limbs[0][i]) || positive) return false;
    }
    return true;
  }

  // One word of message EV: what the folds have left, with the zero point back in its place.
  Fr claimed(const Claim& claim, const Claims& found, const Wiring& wiring, const FirstSum& first, const Fr* rho) const {
    if (claim.kind == AT_RHO) return first.column_at_rho(claim.column);
    if (claim.kind == WEIGHT) return first.weight_at_rho(claim.product);
    int product = 0;
    while (&found.list[found.source_of[product]] != &claim) product++;
    const Term& term = *wiring.products[product].term;
    Fr value = first.source_at_rho(product);
    if (term.zero) value = value + from_signed(term.zero) * true_box(program.source_shape(term), rho);
    return value;
  }
};

}  // namespace OCTET_ARCH
}  // namespace octet
