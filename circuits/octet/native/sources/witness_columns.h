// The witness as it comes, bytes and integers, and what its bytes become once alpha and beta are known.
#pragma once
#include "functionals.h"
#include "packed.h"

namespace octet {
namespace OCTET_ARCH {

struct WitnessColumns {
  List<const uint8_t*> limbs;           // 2^nu bytes each
  const int64_t* value = nullptr;       // V, 2^nu
  List<const int64_t*> multiplicities;  // M, then one per lookup table, 2^nu each
  List<const int64_t*> tables;          // the 256 values of each
  List<Buffer<uint8_t>> asked;          // per lookup table: 1 on the rows that ask it
  size_t used = 0;                      // rows beyond hold 0; a multiple of two blocks
  bool holds = false;                   // whether saturation's and the maximum's constraints hold on every row
};

// A function of a byte: 256 records of Small::RECORD words, and the same as they are.
struct ByteFunction {
  Buffer<u64> records;
  List<Fr> values;

  void set(List<Fr>&& from) {
    values = static_cast<List<Fr>&&>(from);
    records.resize(values.size() * Small::RECORD);
    for (size_t i = 0; i < values.size(); i++) Small::pack(values[i], records.data() + i * Small::RECORD);
  }
};

struct ByteFunctions {
  ByteFunction shifted;             // alpha + v
  ByteFunction inverse;             // 1 / (alpha + v)
  List<ByteFunction> of_table;      // 1 / (alpha + v + beta T(v) + beta^2 id), per lookup table

  // False when a denominator is 0, once in 2^240 proofs.
  bool set(const Program& program, const WitnessColumns& witness, const Fr& alpha, const Fr& beta) {
    List<Fr> sums;
    for (int v = 0; v < LIMB_TABLE; v++) sums.push(alpha + Fr::from_int((u64)v));
    if (!set_inverse(sums, inverse)) return false;
    for (int f = 0; f < program.table_count(); f++) {
      const Fr constant = beta * beta * from_signed(program.tables[f].identity);
      List<Fr> keys;
      for (int v = 0; v < LIMB_TABLE; v++) keys.push(sums[v] + beta * from_signed(witness.tables[f][v]) + constant);
      of_table.push(ByteFunction());
      if (!set_inverse(keys, of_table[f])) return false;
    }
    shifted.set(static_cast<List<Fr>&&>(sums));
    return true;
  }

 private:
  static bool set_inverse(const List<Fr>& values, ByteFunction& out) {
    List<Fr> inverses, before;
    Fr all = Fr::one();
    for (const Fr& v : values) {
      before.push(all);
      all = all * v;
    }
    if (all.is_zero()) return false;
    Fr inverse = all.inverse();
    inverses = List<Fr>(values.size());
    for (size_t i = values.size(); i-- > 0;) {
      inverses[i] = inverse * before[i];
      inverse = inverse * values[i];
    }
    out.set(static_cast<List<Fr>&&>(inverses));
    return true;
  }
};

}  // namespace OCTET_ARCH
}  // namespace octet
