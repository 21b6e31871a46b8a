#ifndef COTANGENT_AUTODIFF_COLORING_H_
#define COTANGENT_AUTODIFF_COLORING_H_

// Which columns of a sparse derivative can be had together.
//
// Two columns of a Jacobian without a common row do not disturb each other: one product J (e_j +
// e_k) holds both. Columns that share a row get different colours, and as many products as colours
// give the whole matrix (Curtis, Powell and Reid, 1974). A Hessian is symmetric, so an entry can be
// read off at (i, j) or at (j, i), and fewer colours do: a star colouring, in which neighbours
// differ and no path of four vertices has two colours only (Coleman and More, 1984; the greedy
// algorithm is 4.1 in Gebremedhin, Manne and Pothen, SIAM Review 47(4), 2005).

#include <cstddef>
#include <cstdint>
#include <vector>

namespace cotangent::autodiff {

// By row, the columns that may be other than zero, ascending.
struct Pattern {
  std::size_t columns = 0;
  std::vector<std::vector<std::uint32_t>> rows;

  std::size_t nonzeros() const;
};

Pattern Transposed(const Pattern& pattern);

struct Coloring {
  std::vector<std::uint32_t> color;  // by column, from 0
  std::uint32_t colors = 0;
};

// Looking for a colouring stops being worth it: after so many steps, a few seconds' worth; or, for
// a star colouring, where a quarter of the entries are other than zero.
inline constexpr double kMostColoringSteps = 2e9;
inline constexpr std::size_t kDense = 4;

// No two columns of a colour share a row. Greedy, columns with the most neighbours first. Where
// there is nothing to win, since a row is full, or it is not worth it, each column has its own
// colour.
Coloring ColorColumns(const Pattern& pattern);

// A star colouring of the graph of a symmetric pattern. Greedy, in the columns' order. Where it is
// not worth it, one as of columns, which is a star colouring too.
Coloring ColorSymmetric(const Pattern& pattern);

}  // namespace cotangent::autodiff

#endif  // COTANGENT_AUTODIFF_COLORING_H_
