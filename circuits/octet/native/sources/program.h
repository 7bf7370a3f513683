// A statement without weights, decoded from the words of encoded_program.py (octet.md 3.4, 3.5).
//
// The words may come from anyone. After decode() has answered true, every number is within the limits of
// program_limits.py and of the coverage check, every number that names a tensor, an axis or a row is inside
// what it names, every product of lengths fits its column, and no loop that a term asks for is longer than
// MOST_STEPS, so that nothing behind it has to look again. What the sums over all terms may be is for
// program_limits.py, and that every row is determined for the coverage check.
#pragma once
#include "input_words.h"

namespace octet {
namespace OCTET_ARCH {

enum OutputKind { INT32, BYTE, INDEX };
enum RelationKind { REQUANT, MAXIMUM, ARGMAX, PUBLIC, HELD };
enum SourceKind { FROM_BLOCK, FROM_LUT, FROM_KEY };

static constexpr int MAX_VARIABLES = 26;
static constexpr int LIMB_TABLE = 256;
static constexpr int64_t MOST_STEPS = (int64_t)1 << 21;
static constexpr int64_t MAX_STEP = (int64_t)1 << MAX_VARIABLES;
static constexpr int MAX_COLUMNS = 1024, MAX_TENSORS = 16384, MAX_TABLES = 256, MAX_RELATIONS = 1024, MAX_TERMS = 16384;
static constexpr int BOUND_BITS = 62;
static constexpr int64_t BOUND = (int64_t)1 << BOUND_BITS;  // of integers, which stay below it
static constexpr int64_t PROGRAM_FORMAT = 0x4F43540002;

struct InputTensor {
  Shape shape;
  int low, high;
  uint64_t first;  // of its bytes among all inputs'
  WordLayout layout;
};
struct OutputTensor {
  Shape shape;
  OutputKind kind;
  uint64_t count, first;  // values, and the first among all outputs'
};
struct Block {
  Shape shape;
  uint64_t offset;
  int table;  // -1: none
};
struct KeyTensor {
  Shape shape;
  int column;
  uint64_t offset;
};
struct LookupTable {
  int64_t identity;
  int values;  // a KeyTensor of 256
};

struct Axis {
  int out;  // -1: the taps alone are summed
  int64_t first, count, stride, taps, dilation, base;
};
struct WeightAxis {
  int out, source;  // -1: not tied
  bool kernel;
};

// Linear terms have scale, product terms weight and weight_axes.
struct Term {
  bool product;
  SourceKind kind;
  int source;
  int64_t zero;
  List<Axis> axes;
  int64_t scale = 0;
  int weight = -1;
  List<WeightAxis> weight_axes;

  bool names(int source_axis) const {
    for (const WeightAxis& a : weight_axes)
      if (a.source == source_axis) return true;
    return false;
  }
  bool has_kernel() const {
    for (const WeightAxis& a : weight_axes)
      if (a.kernel) return true;
    return false;
  }
};
struct Relation {
  RelationKind kind;
  int block, output, input, slot;  // -1: none
  int64_t constant;
  List<Term> terms;
};

struct Program {
  int nu = 0, shift = 0, saturation = 0, slots = 0, vk_columns = 0;
  List<InputTensor> inputs;
  List<OutputTensor> outputs;
  List<Block> blocks;
  List<KeyTensor> vk_tensors;
  List<LookupTable> tables;
  List<Relation> relations;
  uint64_t input_bytes = 0, input_words = 0, output_values = 0;

  uint64_t rows() const { return (uint64_t)1 << nu; }

  // Committed columns are numbered in the order of program.columns: R1, R2, verifying key.
  int limbs() const { return 1 + 2 * saturation + shift / 8 + slots; }
  int groups() const { return (limbs() + 3) / 4; }
  int table_count() const { return (int)tables.size(); }
  int y() const { return 0; }
  int p(int i) const { return 1 + i; }
  int n(int i) const { return 1 + saturation + i; }
  int r(int i) const { return 1 + 2 * saturation + i; }
  int d(int slot) const { return 1 + 2 * saturation + shift / 8 + slot; }
  int v() const { return limbs(); }  // only with tables
  int m() const { return limbs() + (table_count() ? 1 : 0); }
  int m_of(int table) const { return m() + 1 + table; }
  int first_columns() const { return m() + 1 + table_count(); }
  int h(int group) const { return first_columns() + group; }
  int ht() const { return first_columns() + groups(); }
  int h_of(int table) const { return ht() + 1 + 2 * table; }
  int ht_of(int table) const { return ht() + 2 + 2 * table; }
  int second_columns() const { return groups() + 1 + 2 * table_count(); }
  int k(int column) const { return first_columns() + second_columns() + column; }
  int columns() const { return first_columns() + second_columns() + vk_columns; }

  // Row constraints and balances, in the order of the powers of lambda (logup.py).
  int constraints() const { return groups() + 3 + (slots ? 1 : 0) + 2 * table_count() + (table_count() ? 1 : 0); }
  int balances() const { return 1 + table_count(); }

  const Shape& target(const Relation& l) const { return l.kind == PUBLIC ? outputs[l.output].shape : blocks[l.block].shape; }
  const Shape& source_shape(const Term& t) const {
    return t.kind == FROM_KEY ? vk_tensors[t.source].shape : blocks[t.source].shape;
  }
  // The committed column a term reads.
  int source_column(const Term& t) const { return t.kind == FROM_KEY ? k(vk_tensors[t.source].column) : t.kind == FROM_LUT ? v() : y(); }
  uint64_t source_offset(const Term& t) const { return t.kind == FROM_KEY ? vk_tensors[t.source].offset : blocks[t.source].offset; }

  // False: the words are no program.
  bool decode(const int64_t* words, size_t count);
};

// Hands out words within their ranges; the first that is not ends the reading.
class ProgramReader {
 public:
  ProgramReader(const int64_t* words, size_t count, Program& program) : at_(words), left_(count), p_(program) {}

  bool read() {
    const int64_t all = (int64_t)left_;
    next(PROGRAM_FORMAT, PROGRAM_FORMAT);
    next(all, all);
    p_.nu = (int)next(8, MAX_VARIABLES);
    p_.shift = (int)next(16, 32);
    if (p_.shift % 8) good_ = false;
    p_.saturation = (int)next(1, 8);
    if (p_.shift + 8 * p_.saturation >= BOUND_BITS) good_ = false;
    p_.slots = (int)next(0, 5);
    if (p_.slots == 1) good_ = false;
    p_.vk_columns = (int)next(0, MAX_COLUMNS);
    int64_t counts[6];
    for (int i = 0; i < 6; i++) counts[i] = next(0, i == 4 ? MAX_TABLES : i == 5 ? MAX_RELATIONS : MAX_TENSORS);
    for (int64_t i = 0; i < counts[0] && good_; i++) input();
    for (int64_t i = 0; i < counts[1] && good_; i++) output();
    for (int64_t i = 0; i < counts[2] && good_; i++) block(counts[4]);
    for (int64_t i = 0; i < counts[3] && good_; i++) key_tensor();
    for (int64_t i = 0; i < counts[4] && good_; i++) table();
    for (int64_t i = 0; i < counts[5] && good_; i++) relation();
    bool maxima = false;
    for (const Relation& l : p_.relations) maxima = maxima || l.kind == MAXIMUM;
    return good_ && left_ == 0 && maxima == (p_.slots > 0);
  }

 private:
  int64_t next(int64_t low, int64_t high) {
    if (!good_ || left_ == 0 || *at_ < low || *at_ > high) {
      good_ = false;
      return low;
    }
    left_--;
    return *at_++;
  }

  Shape shape(int variables) {
    Shape s;
    const int64_t rank = next(1, MAX_RANK);
    for (int64_t i = 0; i < rank && good_; i++) {
      s.add((uint32_t)next(1, MAX_STEP));
      if (s.variables > variables) good_ = false;  // so that the next product cannot overflow
    }
    return s;
  }
  uint64_t offset() { return (uint64_t)next(0, (int64_t)p_.rows() - 1); }
  void place(const Shape& s, uint64_t offset) {
    if (good_ && (offset % s.size() || offset + s.size() > p_.rows())) good_ = false;
  }

  void input() {
    InputTensor t;
    t.low = (int)next(0, 255);
    t.high = (int)next(t.low, 255);
    const uint32_t width = (uint32_t)next(1, 2);
    t.shape = shape(p_.nu);
    if (!good_) return;
    t.layout = WordLayout::of(t.shape, width);
    t.first = p_.input_bytes;
    p_.input_bytes += t.shape.count;
    p_.input_words += t.layout.words.count;
    p_.inputs.push(t);
  }
  void output() {
    OutputTensor t;
    t.kind = (OutputKind)next(INT32, INDEX);
    t.shape = shape(p_.nu);
    t.count = t.kind == INDEX ? 1 : t.shape.count;
    t.first = p_.output_values;
    p_.output_values += t.count;
    p_.outputs.push(t);
  }
  void block(int64_t tables) {
    Block b;
    b.offset = offset();
    b.table = (int)next(-1, tables - 1);
    b.shape = shape(p_.nu);
    place(b.shape, b.offset);
    p_.blocks.push(b);
  }
  void key_tensor() {
    KeyTensor t;
    t.column = (int)next(0, p_.vk_columns - 1);
    t.offset = offset();
    t.shape = shape(p_.nu);
    place(t.shape, t.offset);
    p_.vk_tensors.push(t);
  }
  void table() {
    LookupTable t;
    t.identity = next(1, BOUND - 1);
    t.values = number(p_.vk_tensors.size());
    if (good_ && (p_.vk_tensors[t.values].shape.rank != 1 || p_.vk_tensors[t.values].shape.count != LIMB_TABLE)) good_ = false;
    for (const LookupTable& other : p_.tables)
      if (other.identity == t.identity || other.values == t.values) good_ = false;
    p_.tables.push(t);
  }
  int number(size_t count) { return (int)next(0, (int64_t)count - 1); }

  void relation() {
    Relation l;
    l.kind = (RelationKind)next(REQUANT, HELD);
    l.block = (int)next(-1, (int64_t)p_.blocks.size() - 1);
    l.output = (int)next(-1, (int64_t)p_.outputs.size() - 1);
    l.input = (int)next(-1, (int64_t)p_.inputs.size() - 1);
    l.slot = (int)next(0, l.kind == MAXIMUM ? p_.slots - 1 : 0);
    l.constant = signed_integer();
    if ((l.kind == PUBLIC) != (l.block < 0)) good_ = false;
    if ((l.kind == PUBLIC || l.kind == ARGMAX) != (l.output >= 0)) good_ = false;
    if ((l.kind == HELD) != (l.input >= 0)) good_ = false;
    if (good_ && l.output >= 0) {
      const OutputTensor& out = p_.outputs[l.output];
      if ((out.kind == INDEX) != (l.kind == ARGMAX)) good_ = false;
      if (l.kind == ARGMAX && !(out.shape == p_.blocks[l.block].shape)) good_ = false;
    }
    if (good_ && l.kind == HELD && (l.constant || !(p_.inputs[l.input].shape == p_.blocks[l.block].shape))) good_ = false;
    const int64_t terms = next(0, l.kind == HELD ? 0 : MAX_TERMS);
    for (int64_t i = 0; i < terms && good_; i++) l.terms.push(term(p_.target(l)));
    if (good_ && l.kind == MAXIMUM && !one_byte(l)) good_ = false;
    p_.relations.push(static_cast<Relation&&>(l));
  }
  // A difference of a maximum is Y minus one byte, nothing else.
  static bool one_byte(const Relation& l) {
    if (l.terms.size() != 1 || l.constant) return false;
    const Term& t = l.terms[0];
    bool plain = !t.product && t.scale == 1 && t.zero == 0 && t.kind != FROM_KEY;
    for (const Axis& a : t.axes) plain = plain && a.taps == 1;
    return plain;
  }
  int64_t signed_integer() { return next(1 - BOUND, BOUND - 1); }

  Term term(const Shape& target) {
    Term t;
    t.product = next(0, 1);
    t.kind = (SourceKind)next(FROM_BLOCK, t.product ? FROM_LUT : FROM_KEY);
    t.source = number(t.kind == FROM_KEY ? p_.vk_tensors.size() : p_.blocks.size());
    if (good_ && t.kind == FROM_LUT && p_.blocks[t.source].table < 0) good_ = false;
    t.zero = next(0, t.kind == FROM_KEY ? 0 : 255);
    if (!good_) return t;
    const Shape& source = p_.source_shape(t);
    next(source.rank, source.rank);
    for (int i = 0; i < source.rank && good_; i++) t.axes.push(axis(target));
    if (t.product)
      contract(t, source, target);
    else
      t.scale = signed_integer();
    if (!t.product && t.scale == 0) good_ = false;
    if (good_ && named_twice(t, target.rank)) good_ = false;
    return t;
  }
  Axis axis(const Shape& target) {
    Axis a;
    a.out = (int)next(-1, target.rank - 1);
    a.first = next(0, a.out < 0 ? 0 : MAX_STEP);
    a.count = next(1, a.out < 0 ? 1 : MAX_STEP);
    a.stride = next(1, MAX_STEP);
    a.taps = next(1, MAX_STEP);
    a.dilation = next(1, MAX_STEP);
    a.base = next(-MAX_STEP, MAX_STEP);
    if (good_ && a.out >= 0 && a.first + a.count > (int64_t)target.length[a.out]) good_ = false;
    if (good_ && a.count > MOST_STEPS / a.taps) good_ = false;
    return a;
  }
  // An output axis that two axes are tied to, other than a group's weight axis and the source axis it names.
  static bool named_twice(const Term& t, int rank) {
    for (int out = 0; out < rank; out++) {
      int ties = 0;
      for (int i = 0; i < (int)t.axes.size(); i++) ties += t.axes[i].out == out && !t.names(i);
      for (const WeightAxis& a : t.weight_axes) ties += a.out == out;
      if (ties > 1) return true;
    }
    return false;
  }
  // A source axis that a weight axis names is read whole: along a group's output axis, or by no walk at all.
  static bool whole(const Axis& a, const WeightAxis& tied, int64_t length) {
    const bool plain = a.stride == 1 && a.dilation == 1 && a.base == 0 && a.first == 0 && a.out == tied.out;
    return plain && (tied.out >= 0 ? a.count == length && a.taps == 1 : a.taps == 1 || a.taps == length);
  }
  void contract(Term& t, const Shape& source, const Shape& target) {
    t.weight = number(p_.vk_tensors.size());
    if (!good_) return;
    const Shape& weight = p_.vk_tensors[t.weight].shape;
    next(weight.rank, weight.rank);
    int64_t kernel = -1;
    for (int i = 0; i < weight.rank && good_; i++) {
      WeightAxis a;
      a.out = (int)next(-1, target.rank - 1);
      a.source = (int)next(-1, source.rank - 1);
      a.kernel = next(0, 1);
      const int64_t length = weight.length[i];
      if (!good_) return;
      const bool tied = a.out >= 0 || a.source >= 0;
      if (a.kernel == tied || (a.kernel && kernel >= 0)) good_ = false;
      if (a.kernel) kernel = length;
      if (a.out >= 0 && length != (int64_t)target.length[a.out]) good_ = false;
      if (a.source >= 0 && (length != (int64_t)source.length[a.source] || t.names(a.source))) good_ = false;
      if (good_ && a.source >= 0 && !whole(t.axes[a.source], a, length)) good_ = false;
      t.weight_axes.push(a);
    }
    if (!good_ || kernel < 0) return;
    int64_t taps = 1;
    for (int i = 0; i < source.rank; i++) {
      if (t.names(i) || t.axes[i].out < 0) continue;
      taps *= t.axes[i].taps;  // below 2^26 2^26
      if (taps > kernel) break;
    }
    if (taps != kernel) good_ = false;
  }

  const int64_t* at_;
  size_t left_;
  Program& p_;
  bool good_ = true;
};

inline bool Program::decode(const int64_t* words, size_t count) { return ProgramReader(words, count, *this).read(); }

}  // namespace OCTET_ARCH
}  // namespace octet
