#include "tensor/row_norm.h"

#include <cmath>
#include <cstring>

#include "base/dispatch.h"
#include "base/parallel.h"

namespace cotangent::tensor {
namespace {

struct Rows {
  int64_t count, columns;
};

// Doubles holds eight numbers, as two vectors of four, since compilers split longer vectors number
// by number where a processor lacks registers for them.
constexpr int64_t kEight = 8;
using FourDoubles = double __attribute__((vector_size(32)));
using FourFloats = float __attribute__((vector_size(16)));
using FourWords = uint32_t __attribute__((vector_size(16)));
using FourHalves = uint16_t __attribute__((vector_size(8)));
struct Doubles {
  FourDoubles low, high;
};

COTANGENT_INLINE void Load(const float* from, FourDoubles& to) {
  FourFloats floats;
  std::memcpy(&floats, from, sizeof floats);
  to = __builtin_convertvector(floats, FourDoubles);
}
COTANGENT_INLINE void Load(const Bf16* from, FourDoubles& to) {
  FourHalves halves;
  std::memcpy(&halves, from, sizeof halves);
  const FourWords bits = __builtin_convertvector(halves, FourWords) << 16;
  FourFloats floats;
  std::memcpy(&floats, &bits, sizeof floats);
  to = __builtin_convertvector(floats, FourDoubles);
}
template <typename T>
COTANGENT_INLINE void Load(const T* from, Doubles& to) {
  Load(from, to.low);
  Load(from + 4, to.high);
}
// Loads `count` numbers, fewer than eight, followed by zeros.
template <typename T>
COTANGENT_INLINE void LoadFew(const T* from, int64_t count, Doubles& to) {
  double numbers[kEight] = {};
  for (int64_t k = 0; k < count; ++k) numbers[k] = static_cast<float>(from[k]);
  std::memcpy(&to, numbers, sizeof to);
}

// Returns the sum of eight numbers, added in pairs.
COTANGENT_INLINE double Total(const Doubles& numbers) {
  const FourDoubles sums = numbers.low + numbers.high;
  return (sums[0] + sums[2]) + (sums[1] + sums[3]);
}

template <typename T>
struct Forward {
  static COTANGENT_INLINE void Run(const Rows& rows, double epsilon, const T* x, T* y, float* mean,
                                   float* inverse_deviation) {
    const int64_t columns = rows.columns, whole = columns / kEight * kEight, rest = columns - whole;
    const double share = 1 / static_cast<double>(columns);
    for (int64_t r = 0; r < rows.count; ++r, x += columns, y += columns) {
      Doubles sums = {}, squares = {}, numbers;
      for (int64_t i = 0; i < whole; i += kEight) {
        Load(x + i, numbers);
        sums.low += numbers.low;
        sums.high += numbers.high;
      }
      if (rest > 0) {
        LoadFew(x + whole, rest, numbers);
        sums.low += numbers.low;
        sums.high += numbers.high;
      }
      const double m = Total(sums) * share;
      for (int64_t i = 0; i < whole; i += kEight) {
        Load(x + i, numbers);
        const FourDoubles low = numbers.low - m, high = numbers.high - m;
        squares.low += low * low;
        squares.high += high * high;
      }
      double square = Total(squares);
      for (int64_t i = whole; i < columns; ++i) {
        const double centred = static_cast<float>(x[i]) - m;
        square += centred * centred;
      }
      const double inverse = 1 / std::sqrt(square * share + epsilon);
      mean[r] = static_cast<float>(m);
      inverse_deviation[r] = static_cast<float>(inverse);
#pragma omp simd
      for (int64_t i = 0; i < columns; ++i)
        y[i] = static_cast<T>(static_cast<float>((static_cast<float>(x[i]) - m) * inverse));
    }
  }
};

COTANGENT_INLINE void Add(const Doubles& gradients, const Doubles& results, Doubles& sums,
                          Doubles& products) {
  sums.low += gradients.low;
  sums.high += gradients.high;
  products.low += gradients.low * results.low;
  products.high += gradients.high * results.high;
}

template <typename T>
struct Backward {
  static COTANGENT_INLINE void Run(const Rows& rows, const T* dy, const T* y,
                                   const float* inverse_deviation, T* dx) {
    const int64_t columns = rows.columns, whole = columns / kEight * kEight, rest = columns - whole;
    const double share = 1 / static_cast<double>(columns);
    for (int64_t r = 0; r < rows.count; ++r, dy += columns, y += columns, dx += columns) {
      Doubles sums = {}, products = {}, gradients, results;
      for (int64_t i = 0; i < whole; i += kEight) {
        Load(dy + i, gradients);
        Load(y + i, results);
        Add(gradients, results, sums, products);
      }
      if (rest > 0) {
        LoadFew(dy + whole, rest, gradients);
        LoadFew(y + whole, rest, results);
        Add(gradients, results, sums, products);
      }
      const float mean = static_cast<float>(Total(sums) * share),
                  slope = static_cast<float>(Total(products) * share),
                  inverse = inverse_deviation[r];
#pragma omp simd
      for (int64_t i = 0; i < columns; ++i) {
        const float g = static_cast<float>(dy[i]), result = static_cast<float>(y[i]);
        dx[i] = static_cast<T>(inverse * (g - mean - result * slope));
      }
    }
  }
};

template <typename T>
void ForwardOf(int64_t rows, int64_t columns, double epsilon, const void* x, void* y, float* mean,
               float* inverse_deviation) {
  static const auto run = LoopFor<Forward<T>>(WidestInstructionSet());
  ParallelRanges(rows, LeastItems(columns), [&](int64_t begin, int64_t end) {
    run({end - begin, columns}, epsilon, static_cast<const T*>(x) + begin * columns,
        static_cast<T*>(y) + begin * columns, mean + begin, inverse_deviation + begin);
  });
}

template <typename T>
void BackwardOf(int64_t rows, int64_t columns, const void* dy, const void* y,
                const float* inverse_deviation, void* dx) {
  static const auto run = LoopFor<Backward<T>>(WidestInstructionSet());
  ParallelRanges(rows, LeastItems(columns), [&](int64_t begin, int64_t end) {
    const int64_t at = begin * columns;
    run({end - begin, columns}, static_cast<const T*>(dy) + at, static_cast<const T*>(y) + at,
        inverse_deviation + begin, static_cast<T*>(dx) + at);
  });
}

}  // namespace

void NormaliseRows(ElementType type, int64_t rows, int64_t columns, double epsilon, const void* x,
                   void* y, float* mean, float* inverse_deviation) {
  const auto run = type == ElementType::kBf16 ? ForwardOf<Bf16> : ForwardOf<float>;
  run(rows, columns, epsilon, x, y, mean, inverse_deviation);
}

void NormaliseRowsGradient(ElementType type, int64_t rows, int64_t columns, const void* dy,
                           const void* y, const float* inverse_deviation, void* dx) {
  const auto run = type == ElementType::kBf16 ? BackwardOf<Bf16> : BackwardOf<float>;
  run(rows, columns, dy, y, inverse_deviation, dx);
}

}  // namespace cotangent::tensor
