// Whether e(P1, Q1) e(P2, Q2) = 1 on BN254: the optimal ate pairing with lines prepared per point of G2.
//
// The twist is y^2 = x^3 + 3 / xi; (x, y) on it stands for (x w^2, y w^3). The line through T with slope l,
// taken at P, is y_P - l x_P w + (l x_T - y_T) w^3.
//
// Source: Vercauteren, "Optimal pairings" (loop 6x + 2 and two more lines); EIP-197 (generator, parameters).
#pragma once
#include "curve.h"
#include "list.h"
#include "tower.h"

namespace octet {
namespace OCTET_ARCH {

static constexpr u64 BN_X = 0x44e992b44a6909f1ULL;

struct G2Affine {
  Fq2 x, y;
  bool infinite;
};

static inline bool on_twist(const G2Affine& p) {
  return p.infinite || p.y.squared() == p.x.squared() * p.x + Fq2{Fq::from_int(3), Fq::zero()} * Fq2::xi().inverse();
}

// p + q with every exception; the slope where there is a line.
static inline G2Affine added(const G2Affine& p, const G2Affine& q, Fq2* slope) {
  if (p.infinite) return q;
  if (q.infinite) return p;
  Fq2 top, below;
  if (p.x == q.x) {
    if (!(p.y == q.y) || p.y.is_zero()) return G2Affine{Fq2::zero(), Fq2::zero(), true};
    const Fq2 square = p.x.squared();
    top = square.doubled() + square;
    below = p.y.doubled();
  } else {
    top = q.y - p.y;
    below = q.x - p.x;
  }
  const Fq2 l = top * below.inverse();
  const Fq2 x = l.squared() - p.x - q.x;
  if (slope) *slope = l;
  return G2Affine{x, l * (p.x - x) - p.y, false};
}

// G2 is the part of order r of the twist, which has other points too.
static inline bool in_g2(const G2Affine& p) {
  if (!on_twist(p)) return false;
  G2Affine sum{Fq2::zero(), Fq2::zero(), true};
  for (int bit = 255; bit >= 0; bit--) {
    sum = added(sum, sum, nullptr);
    if (ScalarPrime::q[bit / 64] >> (bit % 64) & 1) sum = added(sum, p, nullptr);
  }
  return sum.infinite;
}

struct Line {
  Fq2 slope, constant;  // l and l x_T - y_T
};

// The lines of one point's Miller loop, in order. The point is in G2 and not infinity.
class PreparedG2 {
 public:
  PreparedG2() = default;
  explicit PreparedG2(const G2Affine& q) {
    int8_t digits[MAX_DIGITS];
    const int count = loop_digits(digits);
    const G2Affine minus{q.x, q.y.negated(), false};
    G2Affine t = q;
    for (int i = count - 2; i >= 0; i--) {
      step(t, t);
      if (digits[i]) step(t, digits[i] > 0 ? q : minus);
    }
    const G2Affine q1 = frobenius(q);
    G2Affine q2 = frobenius(q1);
    q2.y = q2.y.negated();
    step(t, q1);
    step(t, q2);
  }

  static constexpr int MAX_DIGITS = 68;
  // 6x + 2 in the form without adjacent non-zero digits, the lowest first.
  static int loop_digits(int8_t* digits) {
    u128 n = (u128)6 * BN_X + 2;
    int count = 0;
    for (; n; n >>= 1, count++) {
      digits[count] = 0;
      if (n & 1) {
        digits[count] = (int8_t)(n & 2 ? -1 : 1);
        n -= (u128)(__int128)digits[count];
      }
    }
    return count;
  }
  const Line& line(size_t i) const { return lines_[i]; }

 private:
  void step(G2Affine& t, const G2Affine& other) {
    Line line;
    const G2Affine sum = added(t, other, &line.slope);
    line.constant = line.slope * t.x - t.y;
    lines_.push(line);
    t = sum;
  }
  static G2Affine frobenius(const G2Affine& p) {
    const Fq2 f = Fq12::twist_factor(), f2 = f.squared();
    return G2Affine{p.x.conjugate() * f2, p.y.conjugate() * f2 * f, false};
  }

  List<Line> lines_;
};

// f^x; f has norm 1, but that only matters to whoever inverts it.
static inline Fq12 to_the_x(const Fq12& f) {
  Fq12 r = f;
  for (int bit = 61; bit >= 0; bit--) {
    r = r.squared();
    if (BN_X >> bit & 1) r = r * f;
  }
  return r;
}

// A power of f that is 1 exactly if f^((q^12 - 1) / r) is: the exponent is (q^6 - 1) (q^2 + 1) times
// 2x (6x^2 + 3x + 1) (q^4 - q^2 + 1) / r, written in base q with digits that are polynomials in x.
static inline Fq12 final_power(const Fq12& f) {
  const Fq12 easy = f.conjugate() * f.inverse();
  const Fq12 g = easy.frobenius().frobenius() * easy;
  // From here on the conjugate is the inverse.
  const Fq12 x1 = to_the_x(g), x2 = x1.squared(), x4 = x2.squared(), x6 = x4 * x2;
  const Fq12 xx6 = to_the_x(x6), xxx12 = to_the_x(xx6.squared());
  const Fq12 k = xxx12 * xx6 * x6;                       // 12x^3 + 6x^2 + 6x
  const Fq12 l = k * x2.conjugate();                     // 12x^3 + 6x^2 + 4x
  const Fq12 n = k * xx6 * g;                            // 12x^3 + 12x^2 + 6x + 1
  const Fq12 t = l * g.conjugate();                      // 12x^3 + 6x^2 + 4x - 1
  return n * l.frobenius() * k.frobenius().frobenius() * t.frobenius().frobenius().frobenius();
}

// Whether e(p1, q1) e(p2, q2) = 1; a missing point (nullptr) is infinity.
static inline bool pairing_is_one(const Affine* p1, const PreparedG2& q1, const Affine* p2, const PreparedG2& q2) {
  int8_t digits[PreparedG2::MAX_DIGITS];
  const int count = PreparedG2::loop_digits(digits);
  Fq12 f = Fq12::one();
  size_t at = 0;
  const auto lines = [&] {
    const Affine* const points[2] = {p1, p2};
    const PreparedG2* const prepared[2] = {&q1, &q2};
    for (int i = 0; i < 2; i++) {
      if (!points[i]) continue;
      const Line& line = prepared[i]->line(at);
      f = f.times_line(points[i]->y, line.slope.times(points[i]->x.negated()), line.constant);
    }
    at++;
  };
  for (int i = count - 2; i >= 0; i--) {
    f = f.squared();
    lines();
    if (digits[i]) lines();
  }
  lines();
  lines();
  return final_power(f) == Fq12::one();
}

}  // namespace OCTET_ARCH
}  // namespace octet
