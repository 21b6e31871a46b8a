#ifndef COTANGENT_AUTODIFF_REVERSE_MACHINE_H_
#define COTANGENT_AUTODIFF_REVERSE_MACHINE_H_

// Defines what a replay (kernel.h) works on: the memory that holds values and adjoints, the places
// of a statement's operands in it, and the runs of statements whose kernels are called. Include
// autodiff/reverse/program.h, not this file.

#include <cstddef>
#include <cstdint>

#include "autodiff/reverse/node.h"

namespace cotangent::autodiff::reverse::replay {

inline constexpr int kPoints = 8;

// A number at each of kPoints points: the values of a variable, its adjoints, or saved values.
struct alignas(64) Pack {
  double lane[kPoints];
};

// Tells where the operands of a chunk's statements are: all in one slot, in consecutive slots, or
// in the slots on a list.
class Place {
 public:
  enum Kind : std::uint32_t { kOne, kConsecutive, kListed };
  static constexpr std::uint32_t kLimit = std::uint32_t{1} << 30;

  Place() = default;
  constexpr Place(Kind kind, std::uint32_t index) : bits_(kind << 30 | index) {}
  COTANGENT_INLINE Kind kind() const { return static_cast<Kind>(bits_ >> 30); }
  // Returns the one slot, the first of the consecutive slots, or the index at which the list of
  // slots begins, according to kind().
  COTANGENT_INLINE std::uint32_t index() const { return bits_ & (kLimit - 1); }
  COTANGENT_INLINE bool operator==(const Place& other) const { return bits_ == other.bits_; }

 private:
  std::uint32_t bits_;
};

// A Run is a sequence of `count` steps of the same statement type. On a PointMachine a step is one
// statement; on a StatementMachine a chunk of statements, or a single one. The results go to
// consecutive slots from `result` on. If the kernel accumulates, they are added instead: on a
// PointMachine all to slot `result`; on a StatementMachine to the slots that the first Place of
// each step describes. The operands and the saved values (what the forward walk stores for the
// backward walk) of the first step begin at the indices `operand` and `saved` of the machine's
// arrays of the same names.
struct Kernel;
struct Run {
  const Kernel* kernel;
  std::uint32_t count;
  std::uint32_t result;
  std::size_t operand, saved;
};

// The memory that kernels work on if they compute kPoints points together.
struct PointMachine {
  Pack* value;
  Pack* adjoint;
  Pack* saved;
  const std::uint32_t* operand;  // slots
};

// The memory that kernels work on if they compute one point. If a kernel accumulates (adds its
// results to variables), the first Place of each step tells where those variables are.
struct StatementMachine {
  double* value;
  double* adjoint;
  double* saved;
  const Place* operand;
  const std::uint32_t* list;  // the lists of slots for Places of kind kListed
};

struct Kernel {
  template <class Machine>
  using Replay = void (*)(const Machine&, const Run&);
  template <class Machine>
  struct Ways {
    Replay<Machine> forward, backward;
  };

  bool accumulates;
  std::uint32_t operands, saved;     // how many operands and saved values one statement has
  Ways<PointMachine> points[3];      // for vectors of 2, 4 and 8 points
  Ways<StatementMachine> chunks[3];  // for chunks of 2, 4 and 8 statements
  Ways<StatementMachine> alone;      // for a single statement

  static int Variant(int width) { return width / 4; }  // width is 2, 4 or 8
};

}  // namespace cotangent::autodiff::reverse::replay

#endif  // COTANGENT_AUTODIFF_REVERSE_MACHINE_H_
