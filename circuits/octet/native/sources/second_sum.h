// The second sum check: every claim of the first one as a functional on a column (octet.md 3.8, C).
//
//     eq(rho, x) F(x)  +  sum over columns with claims elsewhere of L_c(x) column_c(x)
//
// with F the combination of all columns by powers of mu, and afterwards the combination that Mercury opens.
#pragma once
#include "column_sum.h"
#include "first_sum.h"

namespace octet {
namespace OCTET_ARCH {

class SecondSum {
 public:
  SecondSum(const Program& program, const WitnessColumns& witness, const ByteFunctions& bytes, const Claims& found,
            const Wiring& wiring, const int64_t* keys, const Fr* rho, const Fr& mu, int threads)
      : p_(program), w_(witness), found_(found), keys_(keys), threads_(threads) {
    const List<Fr> of_mu = powers(mu, found.list.size());
    combine(bytes, of_mu);
    for (size_t k = 0; k < found.elsewhere.size(); k++) columns_.push(Owned<ColumnSum>(nullptr));
    auto fill = [&](int k) {
      if (k)
        columns_[k - 1] = elsewhere(found.elsewhere[k - 1], of_mu, wiring, rho);
      else
        fill_at_rho(rho);
    };
    spread(threads, 1 + (int)columns_.size(), fill);
  }
  SecondSum(const SecondSum&) = delete;

  // Runs all rounds and writes the final values; sigma: nu coordinates. Returns kappa.
  Fr prove(ProofWriter& proof, Progress& progress, List<Fr>& sigma) {
    Fr challenge = Fr::zero();
    const auto nothing = [](int, const Lr&) {};
    for (int round = 0; round <= p_.nu; round++) {
      List<ColumnSum*> due;
      for (const Owned<ColumnSum>& column : columns_)
        if (column->folds_at_once(round)) due.push(column.get());
      auto fold = [&](int k) { due[k]->fold_at_once(sigma.data()); };
      spread(threads_, (int)due.size(), fold);
      List<PairSum*> live;
      live.push(&at_rho_);
      for (const Owned<ColumnSum>& column : columns_) column->join(round, live);
      run_pass(live, round > 0, challenge, threads_, 0, nothing);
      Quadratic all;
      for (PairSum* sum : live) all.add(sum->settle(), Fr::one());
      if (round == p_.nu) break;
      proof.scalar(all.constant);
      proof.scalar(all.square);
      challenge = proof.challenge("second sum", round);
      sigma.push(challenge);
      progress.at((double)(round + 1) / p_.nu);
    }
    proof.scalar(at_rho_.right.at(0));
    for (const Owned<ColumnSum>& column : columns_) proof.scalar(column->value());
    return proof.challenge("finals");
  }

  // F + kappa column + kappa^2 column + .., which uses F up; out: 2^nu entries.
  void combined(const Fr& kappa, Fr* out) {
    List<ColumnValues> values;
    Buffer<SmallFactor> factors(found_.elsewhere.size());
    Fr power = Fr::one();
    for (size_t k = 0; k < factors.size(); k++) {
      factors[k].set(power = power * kappa);
      values.push(values_of(found_.elsewhere[k]));
    }
    const size_t blocks = p_.rows() / Lr::WIDTH;
    auto job = [&](int j) {
      int64_t room[Lr::WIDTH];
      for (size_t b = blocks * j / JOBS; b < blocks * (j + 1) / JOBS; b++) {
        Lr x = Lr::load(f_.block(b));
        for (size_t first = 0; first < factors.size(); first += SmallSum::MOST) {
          const size_t end = first + SmallSum::MOST < factors.size() ? first + SmallSum::MOST : factors.size();
          SmallSum sum;
          for (size_t k = first; k < end; k++) {
            const int64_t* integers = values[k].block(b * Lr::WIDTH, room);
            if (integers) sum.add(integers, factors[k]);
          }
          x = x + sum.settled();
        }
        x.to_fields(out + b * Lr::WIDTH);
      }
    };
    spread(threads_, JOBS, job);
  }

 private:
  static constexpr int JOBS = 32;

  // F on every row: byte columns and their helpers are one look-up each.
  void combine(const ByteFunctions& bytes, const List<Fr>& powers) {
    const size_t blocks = p_.rows() / Lr::WIDTH;
    f_.resize(p_.rows());
    const auto power = [&](int column) { return powers[found_.claim_at_rho(column)]; };
    List<ByteFunction> looked;  // per limb its power and its share of the helper's; per table the query's helper
    List<const u64*> records;
    Fr idle = Fr::zero();
    for (int c = 0; c < p_.limbs(); c++) {
      const Fr own = power(c), helper = power(p_.h(c / 4));
      List<Fr> entries;
      Fr value = Fr::zero();
      for (int v = 0; v < LIMB_TABLE; v++, value = value + own) entries.push(value + helper * bytes.inverse.values[v]);
      idle = idle + entries[0];
      looked.push(ByteFunction());
      looked[c].set(static_cast<List<Fr>&&>(entries));
    }
    for (int f = 0; f < p_.table_count(); f++) {
      List<Fr> entries;
      for (int v = 0; v < LIMB_TABLE; v++) entries.push(power(p_.h_of(f)) * bytes.of_table[f].values[v]);
      looked.push(ByteFunction());
      looked[p_.limbs() + f].set(static_cast<List<Fr>&&>(entries));
    }
    for (const ByteFunction& function : looked) records.push(function.records.data());
    List<ColumnValues> integers;
    Buffer<Lr> units(1 + (size_t)p_.vk_columns);
    for (int column = p_.table_count() ? p_.v() : p_.k(0); column < p_.columns(); column++) {
      if ((column != p_.v() && column < p_.k(0)) || found_.claim_at_rho(column) < 0) continue;
      units[integers.size()] = Small::unit(power(column));
      integers.push(values_of(column));
    }
    const Lr beyond = Lr::broadcast(idle);
    const size_t used = w_.used / Lr::WIDTH;
    auto job = [&](int j) {
      for (size_t b = blocks * j / JOBS; b < blocks * (j + 1) / JOBS; b++) {
        const size_t row = b * Lr::WIDTH;
        Lr x = beyond;
        if (b < used) {
          x = Small::looked_up(records.data(), w_.limbs.data(), p_.limbs(), row);
          for (int f = 0; f < p_.table_count(); f++)
            x = x + Small::where(w_.asked[f].data() + row, Small::looked_up(records.data() + p_.limbs() + f, w_.limbs.data(), 1, row));
        }
        int64_t room[Lr::WIDTH];
        for (size_t k = 0; k < integers.size(); k++) {
          const int64_t* values = integers[k].block(row, room);
          if (values) x = x + Small::integers(values) * units[k];
        }
        x.store(f_.block(b));
      }
    };
    spread(threads_, JOBS, job);
    for (int t = 0; t <= p_.table_count(); t++) {
      const size_t from = t ? (size_t)p_.vk_tensors[p_.tables[t - 1].values].offset : 0;
      const List<Fr>& inverses = t ? bytes.of_table[t - 1].values : bytes.inverse.values;
      const Fr counts = power(p_.m() + t), helpers = power(t ? p_.ht_of(t - 1) : p_.ht());
      for (size_t i = 0; i < (size_t)LIMB_TABLE; i++) {
        const Fr count = Fr::from_int((u64)w_.multiplicities[t][from + i]);
        f_.put(from + i, f_.get(from + i) + count * (counts + helpers * inverses[i]));
      }
    }
  }

  ColumnValues values_of(int column) const {
    ColumnValues values;
    values.end = column >= p_.k(0) ? p_.rows() : w_.used;
    if (column >= p_.k(0))
      values.integers = keys_ + (size_t)(column - p_.k(0)) * p_.rows();
    else if (column >= p_.limbs())
      values.integers = w_.value;
    else
      values.bytes = w_.limbs[column];
    return values;
  }

  void fill_at_rho(const Fr* rho) {
    Packed eq;
    eq_prefix(rho, p_.nu, p_.rows(), Fr::one(), eq);
    at_rho_.variables = p_.nu;
    at_rho_.left.from_scalars(eq, true);
    at_rho_.right.from_scalars(f_);
  }
  Owned<ColumnSum> elsewhere(int column, const List<Fr>& powers, const Wiring& wiring, const Fr* rho) const {
    List<Piece> pieces;
    for (size_t i = 0; i < found_.list.size(); i++) {
      const Claim& claim = found_.list[i];
      if (claim.column != column || claim.kind == AT_RHO) continue;
      if (claim.kind == SOURCE) {
        Piece piece;
        piece.offset = claim.offset;
        piece.variables = claim.variables;
        piece.scale = powers[i];
        // eq falls into two factors wherever one likes.
        const int low = claim.variables < INNER_VARIABLES ? claim.variables : INNER_VARIABLES;
        piece.axes.push(eq_table(rho + low, claim.variables - low));
        piece.axes.push(eq_table(rho, low));
        pieces.push(static_cast<Piece&&>(piece));
        continue;
      }
      for (Piece& piece : weight_functional(p_, wiring, claim.product, rho)) {
        piece.scale = piece.scale * powers[i];
        pieces.push(static_cast<Piece&&>(piece));
      }
    }
    return Owned<ColumnSum>(new ColumnSum(p_.nu, values_of(column), pieces));
  }

  const Program& p_;
  const WitnessColumns& w_;
  const Claims& found_;
  const int64_t* keys_;
  int threads_;
  Packed f_;
  PairSum at_rho_;
  List<Owned<ColumnSum>> columns_;
};

}  // namespace OCTET_ARCH
}  // namespace octet
