// Circulant matrices: the linear maps that commute with shifts, which are the circular
// convolutions.
//
// The circulant matrix of a = (a_0, .., a_{n-1}) holds a in its first column and in every other
// column the one before, shifted down by one:
//
//   C_a[i][j] = a[(i - j) mod n],     C_a x = a * x,     (a * x)[i] = sum over j of a[(i - j) mod n] x[j]
//
// The shift S = C_{e_1}, (S x)[i] = x[i - 1], generates them all: C_a = a_0 I + a_1 S + ... +
// a_{n-1} S^{n-1}; hence C_a S = S C_a. The vectors v_k[j] = exp(2 pi i j k / n) are eigenvectors
// of S, so of every C_a, and the eigenvalues of C_a are the discrete Fourier transform of a:
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

// Small dense matrices, row-major [n, n], over any scalar: numbers, or expressions to prove things
// about. C_a.
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

// S of size n.
template <typename T>
std::vector<T> ShiftMatrix(size_t n, const T& zero, const T& one) {
  std::vector<T> e(n, zero);
  e[1 % n] = one;
  return CirculantMatrix<T>(e);
}

// The product of two n x n matrices.
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

// S^shift x: x moved `shift` places towards higher indices, around the end; any integer.
std::vector<double> Shifted(absl::Span<const double> x, int64_t shift);

// C_a x by its definition, in n^2 multiply-adds.
std::vector<double> DirectCircularConvolution(absl::Span<const double> a,
                                              absl::Span<const double> x);

// The discrete Fourier transform of real vectors of one length, planned once (FFTW), and what
// follows from it. Every call works on buffers of the object's own: used by one thread at a time.
class CircularConvolver {
 public:
  enum class Planning {
    kQuick,     // FFTW's estimate
    kMeasured,  // plans are timed first: seconds for large n, a multiple faster after
  };
  // Errors: n < 1, or more than memory holds.
  static absl::StatusOr<std::unique_ptr<CircularConvolver>> Create(
      int64_t n, Planning planning = Planning::kQuick);
  ~CircularConvolver();

  int64_t size() const;

  // C_a x: three transforms. All spans have size(); `result` may be a or x.
  void Convolve(absl::Span<const double> a, absl::Span<const double> x, absl::Span<double> result);
  // The kernel of the products that follow: one transform.
  void SetKernel(absl::Span<const double> a);
  // C_a x for the kernel set: two transforms.
  void Multiply(absl::Span<const double> x, absl::Span<double> result);

  // A[0] .. A[n - 1].
  std::vector<Complex> Eigenvalues(absl::Span<const double> a);

  // The b with C_b = C_a^-1. Error (FailedPrecondition): an eigenvalue no larger than `tolerance`
  // times the largest; says which.
  absl::StatusOr<std::vector<double>> Inverse(absl::Span<const double> a, double tolerance = 1e-14);

 private:
  struct State;
  explicit CircularConvolver(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// Whether an n x n matrix is circulant.
struct CirculantDetection {
  bool circulant = false;
  std::vector<double> a;  // Its first column, with matrix = C_a, where it is.
  // Where it is not: the entry furthest from what the first column demands there.
  int64_t row = 0, column = 0;
  double found = 0, expected = 0;
};
// Entries count as equal within tolerance times the largest absolute value. Error: a size that is
// not n^2.
absl::StatusOr<CirculantDetection> DetectCirculant(absl::Span<const double> matrix, int64_t n,
                                                   double tolerance = 1e-12);

// The converse: a linear map of R^n, known by its values alone, commutes with shifts if and only if
// it is C_a for its response a to e_0. For then map(e_j) = map(S^j e_0) = S^j a, column j of C_a,
// for every j, and the e_j are a basis. All n are tried, so for a linear map the answer is a proof
// up to the tolerance.
using LinearMap = std::function<std::vector<double>(absl::Span<const double>)>;
struct EquivarianceDecision {
  bool equivariant = false;
  std::vector<double> a;  // map(e_0)
  // Where it is not: map(S^shift input) differs from S^shift map(input), the most at `index`.
  int64_t shift = 0;
  std::vector<double> input;
  int64_t index = 0;
  double found = 0, expected = 0;
};
// Errors: n < 1, a map whose results have another size, or that is not linear on two vectors it is
// tried on.
absl::StatusOr<EquivarianceDecision> DecideShiftEquivariance(const LinearMap& map, int64_t n,
                                                             double tolerance = 1e-12);

}  // namespace cotangent::tensor

#endif  // COTANGENT_TENSOR_CIRCULANT_H_
