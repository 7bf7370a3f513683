// Tables of scalars over the boolean cube, index bits least significant first (octet.md 3.1): folding,
// and the sum check of a row program.
#pragma once
#include "row_program.h"

namespace octet {
namespace OCTET_ARCH {

// A prefix of a table; every entry beyond it is `tail`.
struct Table {
  Packed rows;
  Fr tail = Fr::zero();

  void set(const u64* plain, size_t n, const Fr& beyond) {
    tail = beyond;
    rows.resize(n);
    for (size_t i = 0; i < n; i++) rows.put(i, Fr::from_words(plain + 4 * i));
    rows.fill(n, tail);
  }
  // Entries 2i and 2i + 1 for the WIDTH values of i in block `b` of the half table.
  void pairs(size_t b, Lr& even, Lr& odd) const {
    if (2 * b * Lr::WIDTH >= rows.length) {
      even = odd = Lr::broadcast(tail);
      return;
    }
    Lr::load_pairs(rows.block(2 * b), even, odd);
  }
  void fold(const Fr& challenge) {
    const Lr r = Lr::broadcast(challenge);
    const size_t half = (rows.length + 1) / 2;
    for (size_t b = 0; b < blocks_of(half); b++) {
      Lr even, odd;
      pairs(b, even, odd);
      (even + r * Lr::difference(odd, even)).store(rows.block(b));
    }
    rows.length = half;
    rows.fill(half, tail);
  }
  Fr value() const { return rows.length ? rows.get(0) : tail; }
};

// The sum over the cube of p(row), where p is a straight-line program over the entries of a row.
//
// Only the first `active` rows are walked. On every row beyond them, and on every line through two such
// rows, p must be the constant `idle` (octet.md, A7: there only the balance of the helpers is left).
struct SumCheck {
  int variables = 0, tables = 0, degree = 0, result = 0, registers = 0, threads = 1, rounds = 0;
  size_t active = 0;
  Buffer<Table*> table;
  Buffer<Lr> constants;
  ReadyProgram program;
  Fr idle = Fr::zero();

  SumCheck() = default;
  SumCheck(const SumCheck&) = delete;
  ~SumCheck() {
    for (size_t k = 0; k < table.size(); k++) delete table[k];
  }

  // sum over the cube's remaining half of p at X = 0, 2, 3, .., degree; X = 1 follows from the claim.
  void round(Fr* out) {
    const size_t rows = (active + 1) / 2, blocks = blocks_of(rows);
    const int jobs = blocks < 64 ? 1 : threads;
    const int points = degree + 1;
    Buffer<Fr> partial((size_t)jobs * points);
    auto job = [&](int k) {
      const size_t from = blocks * k / jobs, end = blocks * (k + 1) / jobs;
      Buffer<Lr> reg((size_t)registers), step((size_t)tables), sum((size_t)points);
      for (int x = 0; x < points; x++) sum[x] = Lr::broadcast(Fr::zero());
      for (size_t c = 0; c < constants.size(); c++) reg[tables + c] = constants[c];
      for (size_t b = from; b < end; b++) {
        const size_t left = rows - b * Lr::WIDTH;
        for (int t = 0; t < tables; t++) {
          Lr even, odd;
          table[t]->pairs(b, even, odd);
          reg[t] = even;
          step[t] = odd - even;
        }
        for (int x = 0; x < points; x++) {
          if (x != 1) {
            program.run(reg.data());
            const Lr& p = reg[result];
            sum[x] = sum[x] + (left < (size_t)Lr::WIDTH ? p.first((int)left) : p);
          }
          if (x < degree)
            for (int t = 0; t < tables; t++) reg[t] = reg[t] + step[t];
        }
      }
      for (int x = 0; x < points; x++) partial[(size_t)k * points + x] = sum[x].total();
    };
    spread(threads, jobs, job);
    const size_t all = (size_t)1 << (variables - rounds - 1);
    const Fr rest = idle * Fr::from_int(all - rows);
    for (int x = 0, at = 0; x < points; x++) {
      if (x == 1) continue;
      Fr s = rest;
      for (int k = 0; k < jobs; k++) s = s + partial[(size_t)k * points + x];
      out[at++] = s;
    }
  }

  void bind(const Fr& challenge) {
    auto job = [&](int t) { table[t]->fold(challenge); };
    spread(active < 512 ? 1 : threads, tables, job);
    active = (active + 1) / 2;
    rounds++;
  }
};

}  // namespace OCTET_ARCH
}  // namespace octet
