// The extensions of BN254's base field that the pairing needs: Fq2 = Fq[i] / (i^2 + 1),
// Fq6 = Fq2[v] / (v^3 - xi), Fq12 = Fq6[w] / (w^2 - v), with xi = 9 + i.
//
// Source: EIP-197 (i and the twist); the rest is arithmetic of quotient rings.
#pragma once
#include "field.h"

namespace octet {
namespace OCTET_ARCH {

struct Fq2 {
  Fq a, b;  // a + b i

  static Fq2 zero() { return Fq2{Fq::zero(), Fq::zero()}; }
  static Fq2 one() { return Fq2{Fq::one(), Fq::zero()}; }
  static Fq2 xi() { return Fq2{Fq::from_int(9), Fq::one()}; }
  bool is_zero() const { return a.is_zero() && b.is_zero(); }
  bool operator==(const Fq2& o) const { return a == o.a && b == o.b; }
  Fq2 operator+(const Fq2& o) const { return Fq2{a + o.a, b + o.b}; }
  Fq2 operator-(const Fq2& o) const { return Fq2{a - o.a, b - o.b}; }
  Fq2 operator*(const Fq2& o) const {
    const Fq aa = a * o.a, bb = b * o.b;
    return Fq2{aa - bb, (a + b) * (o.a + o.b) - aa - bb};
  }
  Fq2 squared() const { return Fq2{(a + b) * (a - b), (a * b).doubled()}; }
  Fq2 times(const Fq& f) const { return Fq2{a * f, b * f}; }
  Fq2 doubled() const { return Fq2{a.doubled(), b.doubled()}; }
  Fq2 negated() const { return Fq2{a.negated(), b.negated()}; }
  Fq2 conjugate() const { return Fq2{a, b.negated()}; }
  Fq2 times_xi() const {
    const Fq a8 = a.doubled().doubled().doubled(), b8 = b.doubled().doubled().doubled();
    return Fq2{a8 + a - b, b8 + b + a};
  }
  // Zero goes to zero.
  Fq2 inverse() const {
    const Fq n = (a * a + b * b).inverse();
    return Fq2{a * n, (b * n).negated()};
  }
};

struct Fq6 {
  Fq2 c[3];

  static Fq6 zero() { return Fq6{{Fq2::zero(), Fq2::zero(), Fq2::zero()}}; }
  static Fq6 one() { return Fq6{{Fq2::one(), Fq2::zero(), Fq2::zero()}}; }
  bool operator==(const Fq6& o) const { return c[0] == o.c[0] && c[1] == o.c[1] && c[2] == o.c[2]; }
  Fq6 operator+(const Fq6& o) const { return Fq6{{c[0] + o.c[0], c[1] + o.c[1], c[2] + o.c[2]}}; }
  Fq6 operator-(const Fq6& o) const { return Fq6{{c[0] - o.c[0], c[1] - o.c[1], c[2] - o.c[2]}}; }
  Fq6 negated() const { return Fq6{{c[0].negated(), c[1].negated(), c[2].negated()}}; }
  Fq6 operator*(const Fq6& o) const {
    const Fq2 d0 = c[0] * o.c[0], d1 = c[1] * o.c[1], d2 = c[2] * o.c[2];
    const Fq2 x01 = (c[0] + c[1]) * (o.c[0] + o.c[1]) - d0 - d1;
    const Fq2 x02 = (c[0] + c[2]) * (o.c[0] + o.c[2]) - d0 - d2;
    const Fq2 x12 = (c[1] + c[2]) * (o.c[1] + o.c[2]) - d1 - d2;
    return Fq6{{d0 + x12.times_xi(), x01 + d2.times_xi(), x02 + d1}};
  }
  // Times b + c v.
  Fq6 times_low(const Fq2& b, const Fq2& d) const {
    const Fq2 d0 = c[0] * b, d1 = c[1] * d;
    const Fq2 x01 = (c[0] + c[1]) * (b + d) - d0 - d1;
    return Fq6{{d0 + (c[2] * d).times_xi(), x01, c[2] * b + d1}};
  }
  Fq6 times(const Fq& f) const { return Fq6{{c[0].times(f), c[1].times(f), c[2].times(f)}}; }
  Fq6 times_v() const { return Fq6{{c[2].times_xi(), c[0], c[1]}}; }
  Fq6 inverse() const {
    const Fq2 a = c[0].squared() - (c[1] * c[2]).times_xi();
    const Fq2 b = c[2].squared().times_xi() - c[0] * c[1];
    const Fq2 d = c[1].squared() - c[0] * c[2];
    const Fq2 norm = (c[0] * a + (c[2] * b + c[1] * d).times_xi()).inverse();
    return Fq6{{a * norm, b * norm, d * norm}};
  }
};

struct Fq12 {
  Fq6 a, b;  // a + b w

  static Fq12 one() { return Fq12{Fq6::one(), Fq6::zero()}; }
  bool operator==(const Fq12& o) const { return a == o.a && b == o.b; }
  Fq12 operator*(const Fq12& o) const {
    const Fq6 aa = a * o.a, bb = b * o.b;
    return Fq12{aa + bb.times_v(), (a + b) * (o.a + o.b) - aa - bb};
  }
  Fq12 squared() const {
    const Fq6 ab = a * b;
    return Fq12{(a + b) * (a + b.times_v()) - ab - ab.times_v(), ab + ab};
  }
  // Times f + (g + h v) w, the form of a line.
  Fq12 times_line(const Fq& f, const Fq2& g, const Fq2& h) const {
    const Fq6 aa = a.times(f), bb = b.times_low(g, h);
    return Fq12{aa + bb.times_v(), (a + b).times_low(Fq2{g.a + f, g.b}, h) - aa - bb};
  }
  Fq12 conjugate() const { return Fq12{a, b.negated()}; }
  Fq12 inverse() const {
    const Fq6 norm = (a * a - (b * b).times_v()).inverse();
    return Fq12{a * norm, (b * norm).negated()};
  }

  // xi^((q-1)/6): what w becomes, divided by w, when raised to the q. Computed once from the prime.
  static const Fq2& twist_factor() {
    static const Fq2 factor = [] {
      u64 e[4], rest = 0;
      for (int i = 3; i >= 0; i--) {
        const u128 part = (u128)rest << 64 | (BasePrime::q[i] - (i == 0));
        e[i] = (u64)(part / 6);
        rest = (u64)(part % 6);
      }
      Fq2 r = Fq2::one();
      for (int bit = 255; bit >= 0; bit--) {
        r = r.squared();
        if (e[bit / 64] >> (bit % 64) & 1) r = r * Fq2::xi();
      }
      return r;
    }();
    return factor;
  }
  // To the power q.
  Fq12 frobenius() const {
    const Fq2 f1 = twist_factor(), f2 = f1.squared(), f3 = f2 * f1, f4 = f2.squared(), f5 = f4 * f1;
    return Fq12{Fq6{{a.c[0].conjugate(), a.c[1].conjugate() * f2, a.c[2].conjugate() * f4}},
                Fq6{{b.c[0].conjugate() * f1, b.c[1].conjugate() * f3, b.c[2].conjugate() * f5}}};
  }
};

}  // namespace OCTET_ARCH
}  // namespace octet
