#ifndef COTANGENT_AUTODIFF_COLORING_H_
#define COTANGENT_AUTODIFF_COLORING_H_

// Decides which columns of a sparse derivative can be computed together.
//
// If two columns j and k of a Jacobian J never have an entry in the same row, one product J (e_j +
// e_k) shows the entries of both (e_j is the unit vector of column j). So columns that share a row
// get different colours, and the whole matrix takes as many products as there are colours (Curtis,
// Powell and Reid, 1974). A Hessian is symmetric: an entry can be read off at (i, j) or at (j, i),
// so fewer colours suffice. Take the columns as vertices of a graph, joined where the Hessian has
// an entry: a star colouring gives neighbours different colours, and no path of four vertices has
// only two colours (Coleman and More, 1984; the greedy algorithm is 4.1 in Gebremedhin, Manne and
// Pothen, SIAM Review 47(4), 2005).

#include <cstddef>
#include <cstdint>
#include <vector>

namespace cotangent::autodiff {

// The pattern of a matrix with `columns` columns: for each row, the indices (from 0) of the columns
// whose entry may differ from zero, in ascending order. These are the pattern's entries.
struct Pattern {
  std::size_t columns = 0;
  std::vector<std::vector<std::uint32_t>> rows;

  std::size_t nonzeros() const;
};

Pattern Transposed(const Pattern& pattern);

struct Coloring {
  std::vector<std::uint32_t> color;  // of each column, counted from 0
  std::uint32_t colors = 0;          // how many
};

// Limits of the search for a colouring. No search is begun that would visit the pattern's entries
// more than kMostColoringSteps times (a few seconds). A star colouring is not searched for either
// if the matrix has more than kDense columns and at least one in kDense of its entries may differ
// from zero.
inline constexpr double kMostColoringSteps = 2e9;
inline constexpr std::size_t kDense = 4;

// Colours the columns so that no two columns of one colour have an entry in the same row. Gives
// each column in turn the lowest colour that is allowed, beginning with the columns whose rows have
// the most entries in total. If a row has an entry in every column, or the search would exceed
// kMostColoringSteps, each column gets a colour of its own.
Coloring ColorColumns(const Pattern& pattern);

// Computes a star colouring of the graph of a symmetric pattern. Gives each column in turn, in
// ascending order, the lowest colour that is allowed. In a dense pattern (kDense), each column gets
// a colour of its own; where the search would exceed kMostColoringSteps, ColorColumns colours the
// pattern, which also lets every entry be read off (with entries on the whole diagonal, its result
// is a star colouring).
Coloring ColorSymmetric(const Pattern& pattern);

}  // namespace cotangent::autodiff

#endif  // COTANGENT_AUTODIFF_COLORING_H_
