#include "distributed/means.h"

#include <algorithm>

namespace cotangent::distributed {

double SecondsUnderWay(const std::vector<Means::Record>& records) {
  std::vector<Means::Record> in_order = records;
  std::sort(in_order.begin(), in_order.end(),
            [](const auto& a, const auto& b) { return a.begun < b.begun; });
  Means::Clock::duration sum{};
  Means::Clock::time_point until{};
  for (const Means::Record& record : in_order) {
    const Means::Clock::time_point from = std::max(record.begun, until);
    if (record.ended <= from) continue;
    sum += record.ended - from;
    until = record.ended;
  }
  return std::chrono::duration<double>(sum).count();
}

void Add(absl::Span<const float> values, float* sum) {
  const float* const from = values.data();
  const size_t size = values.size();
#pragma omp simd
  for (size_t i = 0; i < size; ++i) sum[i] += from[i];
}

void Add(absl::Span<const Bf16> values, float* sum) {
  const Bf16* const from = values.data();
  const size_t size = values.size();
#pragma omp simd
  for (size_t i = 0; i < size; ++i) sum[i] += static_cast<float>(from[i]);
}

void Scale(float factor, absl::Span<float> values) {
  float* const data = values.data();
  const size_t size = values.size();
#pragma omp simd
  for (size_t i = 0; i < size; ++i) data[i] *= factor;
}

void RoundWithFeedback(absl::Span<const float> values, float* remainders, Bf16* rounded) {
  const float* const from = values.data();
  const size_t size = values.size();
#pragma omp simd
  for (size_t i = 0; i < size; ++i) {
    const float value = from[i] + remainders[i];
    rounded[i] = Bf16(value);
    remainders[i] = value - static_cast<float>(rounded[i]);
  }
}

void Widen(absl::Span<const Bf16> values, float* wide) {
  const Bf16* const from = values.data();
  const size_t size = values.size();
#pragma omp simd
  for (size_t i = 0; i < size; ++i) wide[i] = static_cast<float>(from[i]);
}

}  // namespace cotangent::distributed
