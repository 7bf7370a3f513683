// The first sum check: all constraints, balances and relations of a program at once (octet.md 3.8, AB).
//
// Its parts are the witness' rows, the lookup tables' rows, the key's columns that linear terms read, and one
// product of shorter vectors for each product term (A3). A round folds and sums them in one pass.
#pragma once
#include "product_tables.h"
#include "progress.h"
#include "proof_writer.h"
#include "spread.h"
#include "statement.h"
#include "table_segment.h"

namespace octet {
namespace OCTET_ARCH {

class FirstSum {
 public:
  // keys: the key's columns of 2^nu integers each.
  FirstSum(const Program& program, const WitnessColumns& witness, const ByteFunctions& bytes, const Challenges& c,
           const Wiring& wiring, const int64_t* keys, int threads)
      : p_(program), w_(witness), wiring_(wiring), c_(c), keys_(keys), threads_(threads),
        rows_(program, witness, bytes, c.alpha, c.beta, c.powers.data(), c.tau.data()) {
    add_left_sides();
    add_linear();
    add_products();
    add_segments(bytes);
  }
  FirstSum(const FirstSum&) = delete;

  // Runs all rounds; rho: nu coordinates.
  void prove(ProofWriter& proof, Progress& progress, List<Fr>& rho) {
    const Fr one = Fr::one();
    Fr bound = one, challenge = Fr::zero();  // bound: eq(tau, .) of the variables that are
    for (int round = 0; round < p_.nu; round++) {
      Fr t[6];
      Quadratic rest;
      pass(round, challenge, t, rest);
      // bound * eq(tau_round, X) * t(X) + rest(X); the coefficient of X follows from the claim.
      const Fr low = bound * (one - c_.tau[round]), high = bound * (c_.tau[round].doubled() - one);
      for (int k = 0; k <= FIRST_DEGREE; k++) {
        if (k == 1) continue;
        Fr coefficient = k == 0 ? rest.constant : k == 2 ? rest.square : Fr::zero();
        if (k < 6) coefficient = coefficient + low * t[k];
        if (k > 0) coefficient = coefficient + high * t[k - 1];
        proof.scalar(coefficient);
      }
      challenge = proof.challenge("first sum", round);
      rho.push(challenge);
      bound = low + high * challenge;
      progress.at((double)(round + 1) / p_.nu);
    }
    Fr t[6];
    Quadratic rest;
    pass(p_.nu, challenge, t, rest);
  }

  // The extension of a committed column at rho; of a key's column only where the sum reads it.
  Fr column_at_rho(int column) const {
    if (column < p_.limbs()) return rows_.limb(column);
    for (int f = 0; f < p_.table_count(); f++) {
      if (column == p_.v()) return rows_.value();
      if (column == p_.m_of(f)) return segments_[1 + f].multiplicity();
      if (column == p_.h_of(f)) return rows_.table_helper(f);
      if (column == p_.ht_of(f)) return segments_[1 + f].helper();
    }
    if (column == p_.m()) return segments_[0].multiplicity();
    if (column == p_.ht()) return segments_[0].helper();
    if (column < p_.ht()) return rows_.helper(column - p_.h(0));
    return keyed_[key_of_[column - p_.k(0)]]->right.at(0);
  }
  // X~ - z valid~ and K~ of a product at rho_low.
  Fr source_at_rho(int product) const { return products_[product]->left.at(0); }
  Fr weight_at_rho(int product) const { return products_[product]->right.at(0); }

 private:
  // One functional for all relations whose left sides have the same digits, one per maximum's slot.
  void add_left_sides() {
    for (int argmax = 0; argmax < 2; argmax++) {
      Packed left;
      bool any = false;
      for (size_t l = 0; l < p_.relations.size(); l++)
        if (p_.relations[l].kind == (argmax ? ARGMAX : REQUANT)) {
          if (!any) clear(left);
          any = true;
          spread_target(wiring_.targets[l], c_.tau.data(), Fr::one(), left);
        }
      if (any) rows_.add_left_side(argmax, left);
    }
    for (int slot = 0; slot < p_.slots; slot++) {
      Packed left;
      clear(left);
      for (size_t l = 0; l < p_.relations.size(); l++)
        if (p_.relations[l].kind == MAXIMUM && p_.relations[l].slot == slot)
          spread_target(wiring_.targets[l], c_.tau.data(), Fr::one().negated(), left);
      rows_.add_linear(p_.d(slot), left);
    }
  }
  // What linear terms read of Y, V and the key; Y has the maxima's left sides too.
  void add_linear() {
    Packed y;
    bool any = wiring_.linear[p_.y()].size() > 0;
    for (const Relation& relation : p_.relations) any = any || relation.kind == MAXIMUM;
    if (any) {
      clear(y);
      for (const Piece& piece : wiring_.linear[p_.y()]) spread_piece(piece, y);
      for (size_t l = 0; l < p_.relations.size(); l++)
        if (p_.relations[l].kind == MAXIMUM) spread_target(wiring_.targets[l], c_.tau.data(), Fr::one(), y);
      rows_.add_linear(p_.y(), y);
    }
    if (p_.table_count() && wiring_.linear[p_.v()].size()) {
      Packed v;
      clear(v);
      for (const Piece& piece : wiring_.linear[p_.v()]) spread_piece(piece, v);
      rows_.add_linear(p_.v(), v);
    }
    key_of_ = List<int>((size_t)p_.vk_columns);
    for (int k = 0; k < p_.vk_columns; k++) {
      const List<Piece>& pieces = wiring_.linear[p_.k(k)];
      bool used = pieces.size() > 0;
      for (const LookupTable& table : p_.tables) used = used || p_.vk_tensors[table.values].column == k;
      if (!used) continue;
      key_of_[k] = (int)keyed_.size();
      PairSum* sum = keyed_.push(Owned<PairSum>(new PairSum)).get();
      sum->variables = p_.nu;
      sum->right.from_integers(keys_ + (size_t)k * p_.rows(), p_.rows());
      Packed left;
      spread_pieces(pieces, end_of(pieces), left);
      sum->left.from_scalars(left, true);
    }
  }
  void add_products() {
    for (const Product& product : wiring_.products) {
      PairSum* sum = products_.push(Owned<PairSum>(new PairSum)).get();
      sum->variables = product.variables;
      sum->factor = product.factor;
    }
    auto fill = [&](int k) {
      const Product& product = wiring_.products[k];
      const Term& term = *product.term;
      const Shape& source = p_.source_shape(term);
      PairSum& sum = *products_[k];
      Buffer<int64_t> values;
      const u64 offset = p_.source_offset(term);
      if (term.kind == FROM_LUT)
        shifted_source(source, term.zero, [&](u64 i) { return w_.value[offset + i]; }, values);
      else
        shifted_source(source, term.zero, [&](u64 i) { return (int64_t)w_.limbs[0][offset + i]; }, values);
      sum.left.from_integers(values, source.size());
      Packed table;
      product_table(p_, product, wiring_.points[product.relation], keys_ + (size_t)p_.vk_tensors[term.weight].column * p_.rows(),
                    table);
      sum.right.from_scalars(table, true);
    };
    spread(threads_, (int)products_.size(), fill);
  }
  void add_segments(const ByteFunctions& bytes) {
    const int first = p_.groups() + 3 + (p_.slots ? 1 : 0);
    segments_.reserve(1 + p_.tables.size());
    segments_.push(TableSegment(p_.nu, 0, w_.multiplicities[0], bytes.inverse.values.data(), c_.alpha, c_.beta, nullptr,
                                c_.tau.data(), c_.powers[p_.groups()], c_.powers[p_.constraints()]));
    for (int f = 0; f < p_.table_count(); f++) {
      const KeyTensor& values = p_.vk_tensors[p_.tables[f].values];
      const Fr constant = c_.alpha + c_.beta * c_.beta * from_signed(p_.tables[f].identity);
      segments_.push(TableSegment(p_.nu, values.offset, w_.multiplicities[1 + f] + values.offset,
                                  bytes.of_table[f].values.data(), constant, c_.beta, &keyed_[key_of_[values.column]]->right,
                                  c_.tau.data(), c_.powers[first + 2 * f + 1], c_.powers[p_.constraints() + 1 + f]));
    }
  }
  void clear(Packed& rows) const {
    rows.resize(w_.used);
    rows.clear();
  }

  // Folds by the challenge of the round before, if there was one, and sums this round.
  void pass(int round, const Fr& challenge, Fr* t, Quadratic& rest) {
    const bool folding = round > 0;
    List<PairSum*> live;
    for (const Owned<PairSum>& sum : keyed_) live.push(sum.get());
    for (const Owned<PairSum>& sum : products_)
      if (sum->variables >= (round ? round : 1)) live.push(sum.get());
    const int jobs = rows_.prepare(folding, 8 * threads_);
    run_pass(live, folding, challenge, threads_, jobs, [&](int k, const Lr& r) { rows_.run(k, r); });
    const RowRound found = rows_.settle();
    rest = found.rest;
    for (PairSum* sum : live) {
      const Quadratic q = sum->settle();
      if (sum->variables > round) rest.add(q, Fr::one());
    }
    for (const Owned<PairSum>& sum : products_) halved_constant(*sum, round, rest);
    coefficients(found.values, t);
    for (TableSegment& segment : segments_) {
      if (folding) segment.fold(challenge);
      if (round < p_.nu) segment.add_round(t, rest);
    }
  }
  // A product whose variables are all bound: its value, halved in each round.
  void halved_constant(const PairSum& sum, int round, Quadratic& rest) const {
    if (sum.variables > round || round == p_.nu) return;
    Fr value = sum.factor * sum.left.at(0) * sum.right.at(0);
    static const Fr half = Fr::from_int(2).inverse();
    for (int k = sum.variables; k <= round; k++) value = value * half;
    rest.constant = rest.constant + value;
  }
  // From the values at 0, 1, -1, 2, -2 and the coefficient of X^5.
  static void coefficients(const Fr* values, Fr* t) {
    static const Fr half = Fr::from_int(2).inverse(), third = Fr::from_int(3).inverse(), twelfth = Fr::from_int(12).inverse();
    const Fr top = values[5], far = top.doubled().doubled().doubled().doubled().doubled();
    // What even and odd powers below X^5 make of 1 and 2.
    const Fr even_one = (values[1] + values[2]) * half - values[0], odd_one = (values[1] - values[2]) * half - top;
    const Fr even_two = (values[3] + values[4]) * half - values[0], odd_two = (values[3] - values[4]) * half - far;
    t[0] = values[0];
    t[4] = (even_two - even_one.doubled().doubled()) * twelfth;
    t[2] = even_one - t[4];
    t[3] = (odd_two * half - odd_one) * third;
    t[1] = odd_one - t[3];
    t[5] = top;
  }

  const Program& p_;
  const WitnessColumns& w_;
  const Wiring& wiring_;
  const Challenges& c_;
  const int64_t* keys_;
  int threads_;
  RowSum rows_;
  List<Owned<PairSum>> keyed_, products_;
  List<int> key_of_;
  List<TableSegment> segments_;
};

}  // namespace OCTET_ARCH
}  // namespace octet
