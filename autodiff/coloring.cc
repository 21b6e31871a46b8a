#include "autodiff/coloring.h"

#include <algorithm>
#include <cstddef>
#include <numeric>

namespace cotangent::autodiff {
namespace {

constexpr std::uint32_t kUncolored = 0xffffffff;

// Records which colours are forbidden to the current vertex (a column of the pattern).
// forbidden_for_ holds, for each colour, the vertex to which it was last forbidden, so that moving
// on to the next vertex needs no clearing.
class ForbiddenColors {
 public:
  explicit ForbiddenColors(std::size_t vertices) : forbidden_for_(vertices + 1, kUncolored) {}

  void Forbid(std::uint32_t color, std::uint32_t vertex) {
    if (color != kUncolored) forbidden_for_[color] = vertex;
  }
  bool Has(std::uint32_t color, std::uint32_t vertex) const {
    return forbidden_for_[color] == vertex;
  }
  std::uint32_t SmallestAllowed(std::uint32_t vertex) const {
    std::uint32_t color = 0;
    while (forbidden_for_[color] == vertex) ++color;
    return color;
  }

 private:
  std::vector<std::uint32_t> forbidden_for_;
};

Coloring EachItsOwn(std::size_t columns) {
  Coloring coloring;
  coloring.color.resize(columns);
  std::iota(coloring.color.begin(), coloring.color.end(), 0);
  coloring.colors = static_cast<std::uint32_t>(columns);
  return coloring;
}

// Returns how many entries of the pattern the search for a colouring visits at most: for each
// column, all entries of the rows in which the column has an entry. With `star` (then the pattern
// is symmetric), the search goes one level deeper: for each of those entries it visits all entries
// of the entry's own column.
double Steps(const Pattern& pattern, bool star) {
  std::vector<double> steps(pattern.rows.size());
  for (std::size_t i = 0; i < steps.size(); ++i)
    steps[i] = static_cast<double>(pattern.rows[i].size());
  double total = 0;
  for (int depth = 0; depth < (star ? 2 : 1); ++depth) {
    std::vector<double> deeper(steps.size(), 0);
    for (std::size_t i = 0; i < steps.size(); ++i) {
      // With `star`, row j also lists the entries of column j, since the pattern is symmetric.
      if (star) {
        for (std::uint32_t j : pattern.rows[i]) deeper[i] += steps[j];
      } else {
        deeper[i] = steps[i] * steps[i];
      }
    }
    steps = deeper;
  }
  for (double s : steps) total += s;
  return total;
}

}  // namespace

std::size_t Pattern::nonzeros() const {
  std::size_t count = 0;
  for (const auto& row : rows) count += row.size();
  return count;
}

Pattern Transposed(const Pattern& pattern) {
  Pattern transposed;
  transposed.columns = pattern.rows.size();
  transposed.rows.resize(pattern.columns);
  for (std::size_t i = 0; i < pattern.rows.size(); ++i) {
    for (std::uint32_t j : pattern.rows[i])
      transposed.rows[j].push_back(static_cast<std::uint32_t>(i));
  }
  return transposed;
}

Coloring ColorColumns(const Pattern& pattern) {
  const bool full = std::any_of(pattern.rows.begin(), pattern.rows.end(),
                                [&](const auto& row) { return row.size() == pattern.columns; });
  if (full || Steps(pattern, /*star=*/false) > kMostColoringSteps)
    return EachItsOwn(pattern.columns);
  const Pattern by_column = Transposed(pattern);
  std::vector<std::size_t> neighbours(pattern.columns, 0);
  for (std::size_t j = 0; j < pattern.columns; ++j) {
    for (std::uint32_t i : by_column.rows[j]) neighbours[j] += pattern.rows[i].size();
  }
  std::vector<std::uint32_t> order(pattern.columns);
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](auto a, auto b) { return neighbours[a] > neighbours[b]; });

  Coloring coloring;
  coloring.color.assign(pattern.columns, kUncolored);
  ForbiddenColors forbidden(pattern.columns);
  for (std::uint32_t j : order) {
    for (std::uint32_t i : by_column.rows[j]) {
      for (std::uint32_t other : pattern.rows[i]) forbidden.Forbid(coloring.color[other], j);
    }
    coloring.color[j] = forbidden.SmallestAllowed(j);
    coloring.colors = std::max(coloring.colors, coloring.color[j] + 1);
  }
  return coloring;
}

Coloring ColorSymmetric(const Pattern& pattern) {
  if (pattern.nonzeros() * kDense >= pattern.columns * pattern.columns && pattern.columns > kDense)
    return EachItsOwn(pattern.columns);
  if (Steps(pattern, /*star=*/true) > kMostColoringSteps) return ColorColumns(pattern);
  Coloring coloring;
  std::vector<std::uint32_t>& color = coloring.color;
  color.assign(pattern.columns, kUncolored);
  ForbiddenColors forbidden(pattern.columns);
  for (std::uint32_t v = 0; v < pattern.columns; ++v) {
    for (std::uint32_t w : pattern.rows[v]) {
      if (w == v) continue;
      forbidden.Forbid(color[w], v);
      for (std::uint32_t x : pattern.rows[w]) {
        if (x == v || x == w || color[x] == kUncolored) continue;
        if (color[w] == kUncolored) {
          forbidden.Forbid(color[x], v);
          continue;
        }
        if (forbidden.Has(color[x], v)) continue;
        for (std::uint32_t y : pattern.rows[x]) {
          if (y == w || y == x || color[y] != color[w]) continue;
          forbidden.Forbid(color[x], v);
          break;
        }
      }
    }
    color[v] = forbidden.SmallestAllowed(v);
    coloring.colors = std::max(coloring.colors, color[v] + 1);
  }
  return coloring;
}

}  // namespace cotangent::autodiff
