// Points of y^2 = x^3 + 3, affine and Jacobian. The group has odd order, so no point has y = 0.
#pragma once
#include "field.h"

namespace octet {
namespace OCTET_ARCH {

struct Affine {
  Fq x, y;  // never infinity
};

struct Jacobian {
  Fq x, y, z;  // z = 0 is infinity
  static Jacobian infinity() { return Jacobian{Fq::one(), Fq::one(), Fq::zero()}; }
  static Jacobian from(const Affine& a) { return Jacobian{a.x, a.y, Fq::one()}; }
  bool is_infinity() const { return z.is_zero(); }
};

static inline bool on_curve(const Affine& a) { return a.y * a.y == a.x * a.x * a.x + Fq::from_int(3); }

// dbl-2009-l of the Explicit-Formulas Database.
static inline Jacobian doubled(const Jacobian& p) {
  if (p.is_infinity()) return p;
  const Fq a = p.x * p.x, b = p.y * p.y, c = b * b;
  const Fq t = p.x + b;
  const Fq d = (t * t - a - c).doubled();
  const Fq e = a + a + a;
  Jacobian r;
  r.x = e * e - d.doubled();
  r.y = e * (d - r.x) - c.doubled().doubled().doubled();
  r.z = (p.y * p.z).doubled();
  return r;
}

// Mixed addition, with every exception: infinity, equal points, opposite points.
static inline Jacobian added(const Jacobian& p, const Affine& q) {
  if (p.is_infinity()) return Jacobian::from(q);
  const Fq zz = p.z * p.z;
  const Fq h = q.x * zz - p.x, s = q.y * p.z * zz - p.y;
  if (h.is_zero()) return s.is_zero() ? doubled(p) : Jacobian::infinity();
  const Fq hh = h * h, hhh = h * hh, v = p.x * hh;
  Jacobian r;
  r.x = s * s - hhh - v.doubled();
  r.y = s * (v - r.x) - p.y * hhh;
  r.z = p.z * h;
  return r;
}

// Not of infinity.
static inline Affine affine(const Jacobian& p) {
  const Fq i = p.z.inverse(), ii = i * i;
  return Affine{p.x * ii, p.y * ii * i};
}

// Of several, none of them infinity, with one inversion.
static inline void affine_all(const Jacobian* points, size_t n, Affine* out) {
  Fq product = Fq::one();
  for (size_t k = 0; k < n; k++) {
    out[k].x = product;  // of all before it
    product = product * points[k].z;
  }
  Fq running = product.inverse();
  for (size_t k = n; k-- > 0;) {
    const Fq i = running * out[k].x, ii = i * i;
    running = running * points[k].z;
    out[k] = Affine{points[k].x * ii, points[k].y * ii * i};
  }
}

// 64 bytes as 8 words of the plain form; infinity is (0, 0).
static inline void to_words(const Jacobian& p, u64* out) {
  if (p.is_infinity()) {
    memset(out, 0, 64);
    return;
  }
  const Affine a = affine(p);
  a.x.to_words(out);
  a.y.to_words(out + 4);
}

}  // namespace OCTET_ARCH
}  // namespace octet
