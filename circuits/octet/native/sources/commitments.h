// The commitments of the witness' columns and of the helpers (octet.md 3.7, 3.8: R1 and R2).
//
// A limb column is sum_v v B_v with B_v the sum of the points on whose rows v stands. A helper is a function of
// its group's bytes too, H = sum over the group of 1 / (alpha + byte), so that it costs 256 multiplications
// whatever the number of rows:
//
//     [H] = size / alpha * (sum of all points) + sum_v>0 (1 / (alpha + v) - 1 / alpha) * (sum over the group of B_v)
//
// and likewise V and the queries' helpers with the points of the rows that ask a table.
#pragma once
#include "byte_buckets.h"
#include "proof_writer.h"
#include "witness_columns.h"

namespace octet {
namespace OCTET_ARCH {

class Commitments {
 public:
  // all: the sum of the first 2^nu points.
  Commitments(const Program& program, const WitnessColumns& witness, const Points& points, const Affine& all, int threads)
      : p_(program), w_(witness), points_(points), all_(all), threads_(threads) {}

  void first(ProofWriter& proof) {
    List<ByteColumn> columns;
    for (int c = 0; c < p_.limbs(); c++) columns.push(ByteColumn{w_.limbs[c], nullptr});
    for (int f = 0; f < p_.table_count(); f++) columns.push(ByteColumn{w_.limbs[0], w_.asked[f].data()});
    ByteBuckets::run(points_, columns, w_.used, threads_, sums_);

    u64 byte[BYTES];
    for (size_t v = 0; v < BYTES; v++) byte[v] = v;
    List<Scalars> bytes;
    List<Jacobian> limbs((size_t)p_.limbs());
    for (int c = 0; c < p_.limbs(); c++) bytes.push(Scalars{byte, BYTES, (size_t)c * BYTES});
    Msm::run(sums_, bytes.data(), p_.limbs(), 1, 8, threads_, limbs.data());
    for (const Jacobian& point : limbs) proof.point(point);
    if (p_.table_count()) proof.point(values());
    multiplicities(proof);
  }

  void second(const ByteFunctions& bytes, ProofWriter& proof) {
    const size_t groups = (size_t)p_.groups(), tables = (size_t)p_.table_count();
    // Per group its bytes' points, per table those of its queries, then the tables' own rows.
    Points bases;
    bases.n = (groups + 1 + 2 * tables) * BYTES;
    bases.words.resize(bases.n * POINT_WORDS);
    bases.infinite.resize(bases.n);
    List<Fr> factors(bases.n);
    auto gather = [&](int g) { gather_group((size_t)g, bases); };
    spread(threads_, (int)groups, gather);
    for (size_t g = 0; g < groups; g++) {
      const size_t size = (size_t)p_.limbs() - 4 * g < 4 ? (size_t)p_.limbs() - 4 * g : 4;
      factors[g * BYTES] = bytes.inverse.values[0] * Fr::from_int(size);
      for (size_t v = 1; v < BYTES; v++) factors[g * BYTES + v] = bytes.inverse.values[v] - bytes.inverse.values[0];
    }
    List<Scalars> columns;
    Buffer<u64> plain(bases.n * 4);
    const auto column = [&](size_t k) { columns.push(Scalars{plain.data() + 4 * k * BYTES, BYTES, k * BYTES}); };
    for (size_t g = 0; g < groups; g++) column(g);
    for (size_t t = 0; t <= tables; t++) {
      const List<Fr>& inverses = t ? bytes.of_table[t - 1].values : bytes.inverse.values;
      const size_t asking = groups + t - 1, own = groups + tables + t;
      for (size_t v = 0; v < BYTES; v++)
        factors[own * BYTES + v] = inverses[v] * Fr::from_int((u64)w_.multiplicities[t][row_of_table(t) + v]);
      if (!t) continue;
      for (size_t v = 0; v < BYTES; v++) factors[asking * BYTES + v] = inverses[v];
      take(sums_, ((size_t)p_.limbs() + t - 1) * BYTES, asking * BYTES, bases);
      take(points_, row_of_table(t), own * BYTES, bases);
      column(asking);
      column(own);
    }
    for (size_t i = 0; i < bases.n; i++) factors[i].to_words(plain.data() + 4 * i);
    List<Jacobian> out(columns.size());
    Msm::run(bases, columns.data(), (int)columns.size(), 4, 254, threads_, out.data());
    // The limbs' table stands on the first rows, of whose points multiples are at hand.
    const Scalars fixed{plain.data() + 4 * (groups + tables) * BYTES, BYTES, row_of_table(0)};
    Jacobian helper;
    Msm::run(points_, &fixed, 1, 4, 254, threads_, &helper);
    for (size_t g = 0; g < groups; g++) proof.point(out[g]);
    proof.point(helper);
    for (size_t k = groups; k < out.size(); k++) proof.point(out[k]);
  }

 private:
  size_t row_of_table(size_t t) const { return t ? (size_t)p_.vk_tensors[p_.tables[t - 1].values].offset : 0; }

  static void take(const Points& from, size_t at, size_t to, Points& out) {
    memcpy((void*)(out.words.data() + to * POINT_WORDS), from.words.data() + at * POINT_WORDS, BYTES * POINT_WORDS * 8);
    memcpy(out.infinite.data() + to, from.infinite.data() + at, BYTES);
  }

  // The points of a group's bytes; in the place of byte 0 the sum of all.
  void gather_group(size_t g, Points& bases) const {
    Tree tree;
    uint32_t counts[BYTES] = {0};
    tree.points.resize(4 * BYTES * POINT_WORDS);
    size_t at = 0;
    for (size_t v = 1; v < BYTES; v++)
      for (size_t c = 4 * g; c < 4 * g + 4 && c < (size_t)p_.limbs(); c++) {
        if (sums_.infinite[c * BYTES + v]) continue;
        copy_point(tree.points.data() + at++ * POINT_WORDS, sums_.words.data() + (c * BYTES + v) * POINT_WORDS);
        counts[v]++;
      }
    tree.reduce(counts, BYTES);
    ByteBuckets::place(tree, counts, BYTES, g * BYTES, bases);
    pack_point(all_, bases.words.data() + g * BYTES * POINT_WORDS);
    bases.infinite[g * BYTES] = 0;
  }

  // [V]: on the rows that ask a table it is the table's value of their byte, and 0 elsewhere.
  Jacobian values() const {
    const size_t n = (size_t)p_.table_count() * BYTES;
    Buffer<u64> plain(4 * n);
    for (size_t i = 0; i < n; i++) from_signed(w_.tables[i / BYTES][i % BYTES]).to_words(plain.data() + 4 * i);
    const Scalars column{plain.data(), n, (size_t)p_.limbs() * BYTES};
    Jacobian out;
    Msm::run(sums_, &column, 1, 4, 254, threads_, &out);
    return out;
  }

  void multiplicities(ProofWriter& proof) const {
    const size_t count = 1 + (size_t)p_.table_count();
    Buffer<u64> plain(count * BYTES);
    List<Scalars> columns;
    for (size_t t = 0; t < count; t++) {
      for (size_t v = 0; v < BYTES; v++) plain[t * BYTES + v] = (u64)w_.multiplicities[t][row_of_table(t) + v];
      columns.push(Scalars{plain.data() + t * BYTES, BYTES, row_of_table(t)});
    }
    List<Jacobian> out(count);
    Msm::run(points_, columns.data(), (int)count, 1, 32, threads_, out.data());
    for (const Jacobian& point : out) proof.point(point);
  }

  const Program& p_;
  const WitnessColumns& w_;
  const Points& points_;
  const Affine& all_;
  int threads_;
  Points sums_;  // per limb column, then per table that is asked, 256 sums
};

}  // namespace OCTET_ARCH
}  // namespace octet
