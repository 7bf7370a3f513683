// All relations of a program at one random point, and the one list of claims that follows (octet.md 3.8):
// prover and verifier walk the same list, and each claim has one slot in the proof.
#pragma once
#include "checks.h"
#include "relations.h"

namespace octet {
namespace OCTET_ARCH {

// What the transcript drew before the first sumcheck.
struct Challenges {
  Fr alpha, beta;
  List<Fr> powers;  // of lambda: constraints, balances, relations
  List<Fr> tau;
};

struct Product {
  const Term* term;
  int relation;
  int variables;  // of its source
  Fr factor;      // -gamma
};

// A column's coefficient on a relation's left side.
struct LeftPart {
  int column;
  Fr factor;
};

// gamma eq(tau_low, .) on all rows of a relation's block, padding rows included: what its left side is
// multiplied by.
struct Target {
  uint64_t offset;
  int variables;
  Fr gamma;
};

struct Wiring {
  List<List<Weighting>> points;  // per relation: one, two for an arg-max, none for a held input
  List<Target> targets;          // per relation; a public one and a held input have none, their variables are -1
  List<List<Piece>> linear;      // per committed column: what linear terms read, times -gamma, and held inputs' words
  List<Product> products;
  Fr claim = Fr::zero();         // what the first sumcheck's terms sum to
};

// The left side without its gamma eq(tau_low, .): Y's own and the limbs' radices (3.6 (4), 3.4).
static inline List<LeftPart> left_side(const Program& program, const Relation& relation) {
  List<LeftPart> parts;
  const Fr one = Fr::one();
  if (relation.kind == PUBLIC || relation.kind == HELD) return parts;
  if (relation.kind == MAXIMUM) {
    parts.push(LeftPart{program.y(), one});
    parts.push(LeftPart{program.d(relation.slot), one.negated()});
    return parts;
  }
  const Fr radix = Fr::from_int((u64)1 << program.shift), byte = Fr::from_int(256);
  parts.push(LeftPart{program.y(), radix});
  Fr high = radix;
  const bool clamped = relation.kind == REQUANT || !OCTET_HOLDS("argmax_left_side");
  for (int i = 0; i < program.saturation && clamped; i++, high = high * byte) {
    parts.push(LeftPart{program.p(i), high});
    parts.push(LeftPart{program.n(i), high.negated()});
  }
  Fr low = one;
  for (int i = 0; i < program.shift / 8; i++, low = low * byte) parts.push(LeftPart{program.r(i), low});
  return parts;
}

// What holds an input: the functional on Y that makes words of its block's bytes, all padding included, and the
// extension of the public words.
static inline void hold_words(const Program& program, const Relation& relation, const Fr* tau, const Fr& gamma, const uint8_t* inputs,
                              Wiring& wiring) {
  const Block& block = program.blocks[relation.block];
  const InputTensor& input = program.inputs[relation.input];
  const WordLayout& layout = input.layout;
  List<Fr> lanes((size_t)layout.lanes());
  const Fr base = Fr::from_int((u64)1 << 8 * layout.width);
  lanes[layout.lanes() - 1] = Fr::one();
  for (size_t lane = layout.lanes() - 1; lane-- > 0;) lanes[lane] = lanes[lane + 1] * base;
  const int variables = block.shape.variables - layout.lane_bits;
  wiring.linear[program.y()].push(lane_piece(block.offset, tau, variables, static_cast<List<Fr>&&>(lanes), layout.lane_bits, gamma));
  const Weighting here = weighting(layout.words, tau, Fr::one());
  const auto word = [&](uint64_t i) {
    uint8_t bytes[32];
    layout.write(inputs + input.first, i, bytes);
    return Fr::from_bytes_reduced(bytes);
  };
  wiring.claim = wiring.claim + gamma * contract(layout.words, here.axes, word);
}

// sum_l gamma_l (left side - right side).
//
// tau: nu coordinates; gammas: one per relation; inputs: all public bytes; outputs: all public values, within
// their kinds' ranges.
static inline Wiring wire(const Program& program, const Fr* tau, const Fr* gammas, const uint8_t* inputs, const int64_t* outputs) {
  Wiring wiring;
  wiring.linear = List<List<Piece>>((size_t)program.columns());
  for (size_t l = 0; l < program.relations.size(); l++) {
    const Relation& relation = program.relations[l];
    const Shape& target = program.target(relation);
    const Fr& gamma = gammas[l];
    if (relation.kind == HELD) {
      if (OCTET_HOLDS("input_words")) hold_words(program, relation, tau, gamma, inputs, wiring);
      wiring.targets.push(Target{0, -1, gamma});
      wiring.points.push(List<Weighting>());
      continue;
    }
    Fr constant = Fr::zero();
    List<Weighting> points;
    points.push(weighting(target, tau, Fr::one()));
    if (relation.kind == ARGMAX) {
      const uint64_t index = (uint64_t)outputs[program.outputs[relation.output].first];
      if (OCTET_HOLDS("argmax_ties")) constant = constant - earlier_elements(target, points[0], index);
      points[0].coefficient = Fr::one().negated();
      points.push(corner(target, index, points[0].valid));
    }
    const bool shown = relation.kind == PUBLIC;
    wiring.targets.push(Target{shown ? 0 : program.blocks[relation.block].offset, shown ? -1 : target.variables, gamma});
    for (const Term& term : relation.terms) {
      if (term.product) {
        wiring.products.push(Product{&term, (int)l, program.source_shape(term).variables, gamma.negated()});
        continue;
      }
      for (const Weighting& point : points) {
        Piece piece = linear_piece(program, term, point);
        if (term.zero) constant = constant - from_signed(term.zero) * piece_total(piece);
        piece.scale = (piece.scale * gamma).negated();
        wiring.linear[program.source_column(term)].push(static_cast<Piece&&>(piece));
      }
    }
    // An arg-max subtracts two equal constants: its weightings' valid parts cancel on true positions.
    Fr valid = Fr::zero();
    for (const Weighting& point : points) valid = valid + point.coefficient * point.valid;
    constant = constant + from_signed(relation.constant) * valid;
    if (relation.kind == PUBLIC) {
      const int64_t* values = outputs + program.outputs[relation.output].first;
      constant = constant - contract(target, points[0].axes, [&](uint64_t i) { return from_signed(values[i]); });
    }
    wiring.claim = wiring.claim + gamma * constant;
    wiring.points.push(static_cast<List<Weighting>&&>(points));
  }
  return wiring;
}

enum ClaimKind { AT_RHO, SOURCE, WEIGHT };

// One word of message EV: <functional, column>. AT_RHO: eq(rho, .); SOURCE: eq(rho_low, .) on the rows of a
// product's source; WEIGHT: the functional of a product's weight.
struct Claim {
  ClaimKind kind;
  int column;
  int product;      // WEIGHT: which
  uint64_t offset;  // SOURCE: rows
  int variables;
};

// What message EV holds, in order: columns at rho, then the factors of every product, a factor that several
// share once. source_of: per product the claim of its factor X~.
struct Claims {
  List<Claim> list;
  List<int> source_of, weight_of;
  List<int> elsewhere;  // columns with claims at other points than rho, in the order of columns

  int claim_at_rho(int column) const {
    for (size_t i = 0; i < list.size(); i++)
      if (list[i].kind == AT_RHO && list[i].column == column) return (int)i;
    return -1;
  }
};

// The program alone determines it, and no length in it makes it more work.
static inline Claims claims(const Program& program) {
  Claims found;
  const int always = program.first_columns() + program.second_columns();
  List<uint8_t> used((size_t)program.columns()), named((size_t)program.columns());
  for (int c = 0; c < always; c++) used[c] = 1;
  for (const LookupTable& table : program.tables) used[program.k(program.vk_tensors[table.values].column)] = 1;
  for (const Relation& relation : program.relations)
    for (const Term& term : relation.terms)
      if (!term.product && term.kind == FROM_KEY) used[program.source_column(term)] = 1;
  for (int c = 0; c < program.columns(); c++)
    if (used[c]) found.list.push(Claim{AT_RHO, c, -1, 0, program.nu});
  // A source's slot is that of its rows: 1 + the claim's place, for Y and for V.
  List<int> rows_of, slots(2 * program.blocks.size());
  for (size_t b = 0; b < program.blocks.size(); b++) {
    size_t first = 0;
    while (program.blocks[first].offset != program.blocks[b].offset ||
           program.blocks[first].shape.variables != program.blocks[b].shape.variables)
      first++;
    rows_of.push((int)first);
  }
  int product = 0;
  for (const Relation& relation : program.relations)
    for (const Term& term : relation.terms) {
      if (!term.product) continue;
      const int source = program.source_column(term);
      int& slot = slots[2 * (size_t)rows_of[term.source] + (term.kind == FROM_LUT)];
      if (!slot) {
        found.list.push(Claim{SOURCE, source, -1, program.source_offset(term), program.source_shape(term).variables});
        slot = (int)found.list.size();
      }
      const int column = program.k(program.vk_tensors[term.weight].column);
      named[source] = named[column] = 1;
      found.source_of.push(slot - 1);
      found.weight_of.push((int)found.list.size());
      found.list.push(Claim{WEIGHT, column, product++, 0, 0});
    }
  for (int c = 0; c < program.columns(); c++)
    if (named[c]) found.elsewhere.push(c);
  return found;
}

// The functional of a product's weight: one piece per weighting.
static inline List<Piece> weight_functional(const Program& program, const Wiring& wiring, int product, const Fr* rho) {
  const Product& p = wiring.products[product];
  List<Piece> pieces;
  for (const Weighting& point : wiring.points[p.relation]) pieces.push(weight_piece(program, *p.term, point, rho));
  return pieces;
}

}  // namespace OCTET_ARCH
}  // namespace octet
