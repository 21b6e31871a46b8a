// Circulant matrices: the linear maps that commute with shifts, which are the circular
// convolutions.
//
// The circulant matrix C_a of a = (a_0, .., a_{n-1}) has a in its first column. Every other column
// is the one before it, shifted down by one around the end:
//
//   C_a[i][j] = a[(i - j) mod n],  C_a x = a * x,  (a * x)[i] = sum over j of a[(i - j) mod n] x[j]
//
// The shift S = C_{e_1}, (S x)[i] = x[(i - 1) mod n], generates them all: C_a = a_0 I + a_1 S + ...
// + a_{n-1} S^{n-1}; hence C_a S = S C_a. (e_j is the unit vector with a 1 at index j, from 0.) The
// vectors v_k[j] = exp(2 pi i j k / n) are eigenvectors of S, so of every C_a, and the eigenvalues
// of C_a are the discrete Fourier transform of a:
//
//   C_a v_k = A[k] v_k,     A[k] = sum over j of a[j] exp(-2 pi i j k / n)
//
// Hence C_a x is three transforms (two, for a kernel used again) and n products, and C_a has the
// inverse C_b with b the inverse transform of 1 / A, if no A[k] is 0. (P. J. Davis, Circulant
// Matrices, 1979.)
#ifndef COTANGENT_TENSOR_CIRCULANT_H_
#define COTANGENT_TENSOR_CIRCULANT_H_

#include <complex>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace cotangent::tensor {

using Complex = std::complex<double>;

// Returns C_a as a dense row-major [n, n] matrix, over any scalar: numbers, or symbolic expressions
// for proofs.
template <typename T>
std::vector<T> CirculantMatrix(absl::Span<const T> a) {
  const size_t n = a.size();
  std::vector<T> matrix;
  matrix.reserve(n * n);
  for (size_t i = 0; i < n; ++i) {
    for (size_t j = 0; j < n; ++j) matrix.push_back(a[(i + n - j) % n]);
  }
  return matrix;
}

// Returns the shift matrix S, row-major [n, n], made of the scalars `zero` and `one`.
template <typename T>
std::vector<T> ShiftMatrix(size_t n, const T& zero, const T& one) {
  std::vector<T> e(n, zero);
  e[1 % n] = one;
  return CirculantMatrix<T>(e);
}

// Returns the product of two n x n matrices; all are row-major.
template <typename T>
std::vector<T> MatrixProduct(absl::Span<const T> a, absl::Span<const T> b, size_t n) {
  std::vector<T> product;
  product.reserve(n * n);
  for (size_t i = 0; i < n; ++i) {
    for (size_t j = 0; j < n; ++j) {
      T sum = a[i * n] * b[j];
      for (size_t k = 1; k < n; ++k) sum = sum + a[i * n + k] * b[k * n + j];
      product.push_back(sum);
    }
  }
  return product;
}

// Returns S^shift x: x moved by `shift` places towards higher indices, around the end. `shift` may
// be negative.
std::vector<double> Shifted(absl::Span<const double> x, int64_t shift);

// Returns C_a x computed from the definition, with n^2 multiply-adds.
std::vector<double> DirectCircularConvolution(absl::Span<const double> a,
                                              absl::Span<const double> x);

// Computes circular convolutions by discrete Fourier transforms (FFTW), planned once for one length
// n. Calls use buffers of the object, so only one thread may use it at a time.
class CircularConvolver {
 public:
  enum class Planning {
    kQuick,     // FFTW's estimate of the fastest plan
    kMeasured,  // FFTW times plans first: takes seconds for large n, then runs several times faster
  };
  // Errors: n outside [1, 2^30], or not enough memory.
  static absl::StatusOr<std::unique_ptr<CircularConvolver>> Create(
      int64_t n, Planning planning = Planning::kQuick);
  ~CircularConvolver();

  int64_t size() const;

  // Computes result = C_a x by three transforms. All spans have size() elements; `result` may be
  // the same memory as `a` or `x`. `a` becomes the kernel of Multiply().
  void Convolve(absl::Span<const double> a, absl::Span<const double> x, absl::Span<double> result);
  // Sets the kernel `a` for Multiply(), by one transform.
  void SetKernel(absl::Span<const double> a);
  // Computes result = C_a x for the kernel a that was set, by two transforms.
  void Multiply(absl::Span<const double> x, absl::Span<double> result);

  // Returns the eigenvalues A[0], .., A[n - 1] of C_a.
  std::vector<Complex> Eigenvalues(absl::Span<const double> a);

  // Returns the b with C_b = C_a^-1. Error (FailedPrecondition): an eigenvalue's absolute value is
  // at most `tolerance` times the largest; the message says which.
  absl::StatusOr<std::vector<double>> Inverse(absl::Span<const double> a, double tolerance = 1e-14);

 private:
  struct State;
  explicit CircularConvolver(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// What DetectCirculant() returns: whether an n x n matrix is circulant, and if not, why not.
struct CirculantDetection {
  bool circulant = false;
  std::vector<double> a;  // if circulant: its first column; the matrix is C_a
  // If not circulant: the entry that differs most from the value that the first column demands.
  int64_t row = 0, column = 0;
  double found = 0, expected = 0;
};
// Decides whether `matrix`, row-major [n, n], is circulant: whether entry (i, j) equals entry
// ((i - j) mod n, 0) for all i and j. Entries count as equal if they differ by at most `tolerance`
// times the largest absolute value in `matrix`. Errors: n < 1, or `matrix` does not have n^2
// elements.
absl::StatusOr<CirculantDetection> DetectCirculant(absl::Span<const double> matrix, int64_t n,
                                                   double tolerance = 1e-12);

// DecideShiftEquivariance() decides whether a linear map of R^n commutes with shifts, and if so,
// finds the a with map = C_a. Only values of the map are needed. Let a = map(e_0). If the map
// commutes with shifts, map(e_j) = map(S^j e_0) = S^j a, which is column j of C_a; since the e_j
// are a basis, map = C_a. Conversely, every C_a commutes with shifts. All n basis vectors are
// tried, so for a linear map the answer is a proof up to the tolerance: values count as equal if
// they differ by at most `tolerance` times the largest absolute value in any map(e_j).
using LinearMap = std::function<std::vector<double>(absl::Span<const double>)>;
struct EquivarianceDecision {
  bool equivariant = false;
  std::vector<double> a;  // map(e_0)
  // If not equivariant: `input` and `shift` for which map(S^shift input) differs from S^shift
  // map(input), and the index of the largest difference. There the former is `found`, the latter
  // `expected`.
  int64_t shift = 0;
  std::vector<double> input;
  int64_t index = 0;
  double found = 0, expected = 0;
};
// Errors: n < 1, a map whose results have another size than n, or one that is not linear on the two
// vectors that are tried.
absl::StatusOr<EquivarianceDecision> DecideShiftEquivariance(const LinearMap& map, int64_t n,
                                                             double tolerance = 1e-12);

}  // namespace cotangent::tensor

#endif  // COTANGENT_TENSOR_CIRCULANT_H_
