// Opening a multilinear polynomial with Mercury (octet.md 3.9): the prover's arithmetic and transcript.
//
// The field work is about 80 ns an entry and the two large multi-scalar multiplications some
// microseconds, so the former stays in plain one-at-a-time code.
#pragma once
#include "functionals.h"
#include "proof_writer.h"

namespace octet {
namespace OCTET_ARCH {

// A polynomial, coefficients from the constant up.
struct Poly {
  Buffer<Fr> c;
  size_t n = 0;

  Poly() = default;
  explicit Poly(size_t size) { reset(size); }
  void reset(size_t size) {
    n = size;
    c.resize(size);
    for (size_t i = 0; i < size; i++) c[i] = Fr::zero();
  }
  Fr at(const Fr& x) const {
    Fr s = Fr::zero();
    for (size_t i = n; i-- > 0;) s = s * x + c[i];
    return s;
  }
  // In place: the quotient by X - root, dropping the remainder; the top coefficient becomes zero.
  void divide(const Fr& root) {
    Fr carry = Fr::zero();
    for (size_t i = n; i-- > 0;) {
      const Fr next = c[i] + carry * root;
      c[i] = carry;
      carry = next;
    }
  }
};

static Jacobian commit(const Points& srs, const Poly& f, int threads) {
  Buffer<u64> plain(4 * f.n);
  for (size_t i = 0; i < f.n; i++) f.c[i].to_words(plain.data() + 4 * i);
  return msm(srs, plain.data(), 4, f.n, 254, threads);
}

// Two at once, so that no thread waits for the smaller one.
static void commit_both(const Points& srs, const Poly& f, const Poly& g, int threads, ProofWriter& proof) {
  Buffer<u64> plain(4 * (f.n + g.n));
  for (size_t i = 0; i < f.n; i++) f.c[i].to_words(plain.data() + 4 * i);
  for (size_t i = 0; i < g.n; i++) g.c[i].to_words(plain.data() + 4 * (f.n + i));
  const Scalars columns[2] = {{plain.data(), f.n}, {plain.data() + 4 * f.n, g.n}};
  Jacobian out[2];
  Msm::run(srs, columns, 2, 4, 254, threads, out);
  proof.point(out[0]);
  proof.point(out[1]);
}

// The polynomial of least degree through (x[i], y[i]), for at most three points.
static void interpolate(const Fr* x, const Fr* y, int n, Fr* out) {
  for (int i = 0; i < n; i++) out[i] = Fr::zero();
  for (int i = 0; i < n; i++) {
    Fr top[3] = {Fr::one(), Fr::zero(), Fr::zero()}, below = Fr::one();
    int size = 1;
    for (int j = 0; j < n; j++) {
      if (j == i) continue;
      for (int k = size; k > 0; k--) top[k] = top[k - 1] - (k < size ? top[k] * x[j] : Fr::zero());
      top[0] = (top[0] * x[j]).negated();
      size++;
      below = below * (x[i] - x[j]);
    }
    const Fr weight = y[i] * below.inverse();
    for (int k = 0; k < n; k++) out[k] = out[k] + top[k] * weight;
  }
}

// Opens f, 2^variables values which it uses up, at `point`; 22 words. DEGENERATE when a challenge is one of
// those that the verifier refuses (0, or two that coincide): at random once in 2^250 proofs.
// tell: told what part is done; what it throws ends the opening.
template <class F>
static int mercury(const Points& srs, Poly& f, int variables, const Fr* point, ProofWriter& proof, int threads, const F& tell) {
  const int t = (variables + 1) / 2;
  const size_t n = (size_t)1 << variables, b = (size_t)1 << t, rows = n / b;
  Poly h(rows), q(n - b), g(b);
  const List<Fr> e1 = eq_table(point, t), e2 = eq_table(point + t, variables - t);

  // 1. h_i = <eq(u1), row i>.
  auto row_sums = [&](int k) {
    for (size_t i = rows * k / threads; i < rows * (k + 1) / threads; i++) {
      Fr s = Fr::zero();
      for (size_t j = 0; j < b; j++) s = s + e1[j] * f.c[i * b + j];
      h.c[i] = s;
    }
  };
  spread(threads, threads, row_sums);
  proof.point(commit(srs, h, threads));
  const Fr alpha = proof.challenge("mercury h");

  tell(0.05);

  // 2. Horner over whole rows: what has been summed before a row is the quotient's row below it.
  for (size_t i = rows; i-- > 0;) {
    if (i + 1 < rows)
      for (size_t j = 0; j < b; j++) q.c[i * b + j] = g.c[j];
    for (size_t j = 0; j < b; j++) g.c[j] = g.c[j] * alpha + f.c[i * b + j];
  }
  commit_both(srs, q, g, threads, proof);
  const Fr gamma = proof.challenge("mercury q g");

  tell(0.45);

  // 3. S_d for the coefficient d + 1 of the symmetric sum, and D = X^(b-1) g(1/X).
  const size_t longest = b > rows ? b : rows;
  Poly s(longest - 1), d(b);
  auto cross = [](const Poly& x, const List<Fr>& y, size_t shift) {
    Fr sum = Fr::zero();
    for (size_t i = 0; i + shift < x.n; i++) sum = sum + x.c[i + shift] * y[i] + x.c[i] * y[i + shift];
    return sum;
  };
  auto symmetric = [&](int k) {
    for (size_t i = (size_t)k; i < s.n; i += threads) s.c[i] = cross(g, e1, i + 1) + gamma * cross(h, e2, i + 1);
  };
  spread(threads, threads, symmetric);
  for (size_t i = 0; i < b; i++) d.c[i] = g.c[b - 1 - i];
  commit_both(srs, s, d, threads, proof);
  const Fr z = proof.challenge("mercury s d");
  if (z.is_zero()) return DEGENERATE;
  const Fr zi = z.inverse();

  // 4. The six values.
  const Fr gz[2] = {g.at(z), g.at(zi)}, sz[2] = {s.at(z), s.at(zi)};
  const Fr hz[3] = {h.at(z), h.at(zi), h.at(alpha)}, dz = d.at(z);
  proof.scalar(gz[0]);
  proof.scalar(gz[1]);
  proof.scalar(hz[0]);
  proof.scalar(hz[1]);
  proof.scalar(sz[0]);
  proof.scalar(sz[1]);
  const Fr delta = proof.challenge("mercury values");
  const Fr at[3] = {z, zi, alpha};
  if (z == zi || z == alpha || zi == alpha) return DEGENERATE;

  // 5. One quotient for all claims, then the same at y.
  const Poly* const claimed[4] = {&g, &s, &h, &d};
  const Fr* const value[4] = {gz, sz, hz, &dz};
  const int count[4] = {2, 2, 3, 1};
  Fr rest[4][3];
  Poly w(longest);
  Fr weight = Fr::one();
  for (int k = 0; k < 4; k++) {
    interpolate(at, value[k], count[k], rest[k]);
    Poly part(longest > 4 ? longest : 4);
    for (size_t i = 0; i < claimed[k]->n; i++) part.c[i] = claimed[k]->c[i];
    for (int i = 0; i < count[k]; i++) part.c[i] = part.c[i] - rest[k][i];
    for (int i = 0; i < count[k]; i++) part.divide(at[i]);
    for (size_t i = 0; i < longest; i++) w.c[i] = w.c[i] + weight * part.c[i];
    weight = weight * delta;
  }
  proof.point(commit(srs, w, threads));
  const Fr y = proof.challenge("mercury w");
  const Fr vanish = (y - z) * (y - zi) * (y - alpha);
  Poly last(longest);
  for (size_t i = 0; i < longest; i++) last.c[i] = (vanish * w.c[i]).negated();
  weight = Fr::one();
  for (int k = 0; k < 4; k++) {
    Fr factor = weight, line = Fr::zero();
    for (int i = count[k]; i < 3; i++) factor = factor * (y - at[i]);
    for (int i = count[k]; i-- > 0;) line = line * y + rest[k][i];
    for (size_t i = 0; i < claimed[k]->n; i++) last.c[i] = last.c[i] + factor * claimed[k]->c[i];
    last.c[0] = last.c[0] - factor * line;
    weight = weight * delta;
  }
  last.divide(y);

  tell(0.6);

  // The large one: (f - (z^b - alpha) q - g(z)) / (X - z).
  const Fr scale = alpha - power(z, b);
  for (size_t i = 0; i < q.n; i++) f.c[i] = f.c[i] + scale * q.c[i];
  f.divide(z);
  commit_both(srs, last, f, threads, proof);
  proof.challenge("mercury w_y pi");
  return OK;
}

}  // namespace OCTET_ARCH
}  // namespace octet
