#include "tensor/row_norm.h"

#include <cmath>

#include "base/dispatch.h"
#include "base/parallel.h"
#include "tensor/eight_doubles.h"

namespace cotangent::tensor {
namespace {

struct Rows {
  int64_t count, columns;
};

template <typename T>
struct Forward {
  static COTANGENT_INLINE void Run(const Rows& rows, double epsilon, const T* x, T* y, float* mean,
                                   float* inverse_deviation) {
    const int64_t columns = rows.columns, whole = columns / kEight * kEight, rest = columns - whole;
    const double share = 1 / static_cast<double>(columns);
    for (int64_t r = 0; r < rows.count; ++r, x += columns, y += columns) {
      EightDoubles sums, squares, numbers;
      for (int64_t i = 0; i < whole; i += kEight) {
        Load(x + i, numbers);
        sums.Add(numbers);
      }
      if (rest > 0) {
        LoadFew(x + whole, rest, numbers);
        sums.Add(numbers);
      }
      const double m = sums.Total() * share;
      for (int64_t i = 0; i < whole; i += kEight) {
        Load(x + i, numbers);
        numbers.low -= m;
        numbers.high -= m;
        squares.AddProducts(numbers, numbers);
      }
      double square = squares.Total();
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

template <typename T>
struct Backward {
  static COTANGENT_INLINE void Run(const Rows& rows, const T* dy, const T* y,
                                   const float* inverse_deviation, T* dx) {
    const int64_t columns = rows.columns, whole = columns / kEight * kEight, rest = columns - whole;
    const double share = 1 / static_cast<double>(columns);
    for (int64_t r = 0; r < rows.count; ++r, dy += columns, y += columns, dx += columns) {
      EightDoubles sums, products, gradients, results;
      for (int64_t i = 0; i < whole; i += kEight) {
        Load(dy + i, gradients);
        Load(y + i, results);
        sums.Add(gradients);
        products.AddProducts(gradients, results);
      }
      if (rest > 0) {
        LoadFew(dy + whole, rest, gradients);
        LoadFew(y + whole, rest, results);
        sums.Add(gradients);
        products.AddProducts(gradients, results);
      }
      const float mean = static_cast<float>(sums.Total() * share),
                  slope = static_cast<float>(products.Total() * share),
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
