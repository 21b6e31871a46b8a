// Writes initial values of parameters; the kinds of initialiser are described in network.proto.

#include "layers/network/initialize.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "base/fnv.h"
#include "base/parallel.h"

namespace cotangent::layers {
namespace {

// Each thread of a loop draws at least this many random numbers; with fewer, starting the thread
// would cost more time than it saves.
constexpr int64_t kFewestDrawn = 512;

double Gain(const Initialiser::Kaiming& kaiming) {
  switch (kaiming.nonlinearity()) {
    case Initialiser::RELU:
      return std::sqrt(2.0);
    case Initialiser::LEAKY_RELU:
      return std::sqrt(2.0 / (1 + kaiming.negative_slope() * kaiming.negative_slope()));
    case Initialiser::TANH:
      return 5.0 / 3;
    case Initialiser::SIGMOID:
    case Initialiser::LINEAR:
      return 1;
  }
  return 1;
}

// Returns the standard deviation that a Kaiming initialiser aims for. XavierDeviation() does the
// same for Xavier initialisers.
double KaimingDeviation(const Initialiser::Kaiming& kaiming, const ParameterSpec& parameter) {
  const int64_t fan = kaiming.mode() == Initialiser::FAN_IN ? parameter.fan_in : parameter.fan_out;
  return Gain(kaiming) / std::sqrt(static_cast<double>(fan));
}

double XavierDeviation(const Initialiser::Xavier& xavier, const ParameterSpec& parameter) {
  return xavier.gain() * std::sqrt(2.0 / static_cast<double>(parameter.fan_in + parameter.fan_out));
}

void FillUniform(const RandomStream& random, double low, double high, absl::Span<float> values) {
  const int64_t count = static_cast<int64_t>(values.size());
  ParallelRanges((count + 3) / 4, kFewestDrawn, [&](int64_t begin, int64_t end) {
    for (int64_t i = 4 * begin; i < std::min(4 * end, count); i += 4) {
      const std::array<double, 4> uniform = random.Uniforms(i / 4);
      for (int64_t k = i; k < std::min(i + 4, count); ++k)
        values[k] = static_cast<float>(low + (high - low) * uniform[k - i]);
    }
  });
}

void FillNormal(const RandomStream& random, double mean, double deviation,
                absl::Span<float> values) {
  const int64_t count = static_cast<int64_t>(values.size());
  ParallelRanges(count, kFewestDrawn, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      values[i] = static_cast<float>(mean + deviation * random.Normal(i));
  });
}

// Draws truncated normal numbers by inversion, as torch.nn.init.trunc_normal_ does: draws a
// probability uniformly between the probabilities of the two bounds, and finds its quantile by
// bisection.
void FillTruncatedNormal(const RandomStream& random, const Initialiser::TruncatedNormal& text,
                         absl::Span<float> values) {
  const auto probability = [](double z) { return 0.5 * std::erfc(-z / std::sqrt(2.0)); };
  const double low = (text.low() - text.mean()) / text.deviation(),
               high = (text.high() - text.mean()) / text.deviation();
  const double from = probability(low), to = probability(high);
  const int64_t count = static_cast<int64_t>(values.size());
  ParallelRanges(count, kFewestDrawn, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const double p = from + (to - from) * random.Uniform(i);
      double below = low, above = high;
      for (int step = 0; step < 60 && above - below > 1e-12; ++step) {
        const double middle = below + (above - below) / 2;
        (probability(middle) < p ? below : above) = middle;
      }
      values[i] =
          static_cast<float>(text.mean() + text.deviation() * (below + (above - below) / 2));
    }
  });
}

void FillSinusoidal(const tensor::Shape& shape, absl::Span<float> values) {
  const int64_t channels = shape[0], height = shape[1], width = shape[2], half = channels / 2;
  for (int64_t c = 0; c < channels; ++c) {
    const int64_t within = c < half ? c : c - half, size = c < half ? half : channels - half;
    const int64_t pair = within / 2;
    const double frequency =
        std::pow(10000.0, -2.0 * static_cast<double>(pair) / static_cast<double>(size));
    for (int64_t i = 0; i < height * width; ++i) {
      const double angle = static_cast<double>(c < half ? i / width : i % width) * frequency;
      values[c * height * width + i] =
          static_cast<float>(within % 2 == 0 ? std::sin(angle) : std::cos(angle));
    }
  }
}

void Fill(const ParameterSpec& parameter, const Initialiser& initialiser,
          const RandomStream& random, absl::Span<float> values);

void FillIdentity(const tensor::Shape& shape, absl::Span<float> values) {
  std::fill(values.begin(), values.end(), 0.0f);
  for (int64_t i = 0; i < std::min(shape[0], shape[1]); ++i) values[i * shape[1] + i] = 1;
}

// Makes filter i copy channel i: its weight for channel i at the middle of the kernel is 1, its
// other weights are 0. If there are more filters than channels, the others are 0, or with
// `default_others` keep the values of the default initialiser. (Channels are those that a filter
// reads.)
void FillDirac(const ParameterSpec& parameter, const Initialiser::Dirac& dirac,
               const RandomStream& random, absl::Span<float> values) {
  const tensor::Shape& shape = parameter.shape;
  if (dirac.default_others()) {
    Fill(parameter, parameter.default_initialiser, random, values);
  } else {
    std::fill(values.begin(), values.end(), 0.0f);
  }
  const int64_t area = shape[2] * shape[3], size = shape[1] * area;
  const int64_t middle = shape[2] / 2 * shape[3] + shape[3] / 2;
  for (int64_t i = 0; i < std::min(shape[0], shape[1]); ++i) {
    std::fill_n(values.begin() + i * size, size, 0.0f);
    values[i * size + i * area + middle] = 1;
  }
}

void Fill(const ParameterSpec& parameter, const Initialiser& initialiser,
          const RandomStream& random, absl::Span<float> values) {
  const double root3 = std::sqrt(3.0);
  switch (initialiser.kind_case()) {
    case Initialiser::kKaimingUniform: {
      const double bound = root3 * KaimingDeviation(initialiser.kaiming_uniform(), parameter);
      return FillUniform(random, -bound, bound, values);
    }
    case Initialiser::kKaimingNormal:
      return FillNormal(random, 0, KaimingDeviation(initialiser.kaiming_normal(), parameter),
                        values);
    case Initialiser::kXavierUniform: {
      const double bound = root3 * XavierDeviation(initialiser.xavier_uniform(), parameter);
      return FillUniform(random, -bound, bound, values);
    }
    case Initialiser::kXavierNormal:
      return FillNormal(random, 0, XavierDeviation(initialiser.xavier_normal(), parameter), values);
    case Initialiser::kConstant:
      std::fill(values.begin(), values.end(), static_cast<float>(initialiser.constant().value()));
      return;
    case Initialiser::kNormal:
      return FillNormal(random, initialiser.normal().mean(), initialiser.normal().deviation(),
                        values);
    case Initialiser::kUniform:
      return FillUniform(random, initialiser.uniform().low(), initialiser.uniform().high(), values);
    case Initialiser::kTruncatedNormal:
      return FillTruncatedNormal(random, initialiser.truncated_normal(), values);
    case Initialiser::kSinusoidal:
      return FillSinusoidal(parameter.shape, values);
    case Initialiser::kIdentity:
      return FillIdentity(parameter.shape, values);
    case Initialiser::kDirac:
      return FillDirac(parameter, initialiser.dirac(), random, values);
    case Initialiser::kWhiten:
    case Initialiser::KIND_NOT_SET:
      return Fill(parameter, parameter.default_initialiser, random, values);
  }
}

// Returns the standard deviation as torch.Tensor.std computes it, with n - 1 in the denominator; 0
// for a single value.
double Deviation(absl::Span<const float> values) {
  const double n = static_cast<double>(values.size());
  const double mean = std::accumulate(values.begin(), values.end(), 0.0) / n;
  double sum = 0;
  for (float value : values) sum += (value - mean) * (value - mean);
  return n > 1 ? std::sqrt(sum / (n - 1)) : 0;
}

// Computes eigenvalues (on the diagonal of `a`) and eigenvectors (columns of v) of the symmetric n
// x n matrix a by Jacobi's method. The rest of `a` is overwritten.
void Diagonalize(int n, std::vector<double>& a, std::vector<double>& v) {
  v.assign(n * n, 0);
  for (int i = 0; i < n; ++i) v[i * n + i] = 1;
  constexpr int kMostSweeps = 64;
  for (int sweep = 0; sweep < kMostSweeps; ++sweep) {
    double off_diagonal = 0, diagonal = 0;
    for (int p = 0; p < n; ++p) {
      diagonal += a[p * n + p] * a[p * n + p];
      for (int q = p + 1; q < n; ++q) off_diagonal += a[p * n + q] * a[p * n + q];
    }
    if (off_diagonal <= 1e-30 * diagonal) return;
    for (int p = 0; p < n; ++p) {
      for (int q = p + 1; q < n; ++q) {
        if (a[p * n + q] == 0) continue;
        const double theta = (a[q * n + q] - a[p * n + p]) / (2 * a[p * n + q]);
        const double t = (theta >= 0 ? 1 : -1) / (std::abs(theta) + std::sqrt(theta * theta + 1));
        const double c = 1 / std::sqrt(t * t + 1), s = t * c;
        for (int k = 0; k < n; ++k) {
          const double x = a[k * n + p], y = a[k * n + q];
          a[k * n + p] = c * x - s * y, a[k * n + q] = s * x + c * y;
        }
        for (int k = 0; k < n; ++k) {
          const double x = a[p * n + k], y = a[q * n + k];
          a[p * n + k] = c * x - s * y, a[q * n + k] = s * x + c * y;
        }
        for (int k = 0; k < n; ++k) {
          const double x = v[k * n + p], y = v[k * n + q];
          v[k * n + p] = c * x - s * y, v[k * n + q] = s * x + c * y;
        }
      }
    }
  }
}

// Returns the mean of p p^T over all patches p of kernel_height x kernel_width pixels: [n, n],
// where n is the number of elements of a patch. There is a patch at every pixel where one fits, so
// patches overlap. At one height of an image, each patch begins one pixel to the right of the one
// before, so the values of their element i lie one after the other in the image. Each entry of the
// result is a sum of dot products of two such rows of values, divided by the number of patches.
std::vector<double> PatchMoments(const float* images, const tensor::Shape& shape,
                                 int64_t kernel_height, int64_t kernel_width) {
  const int64_t channels = shape.channels(), height = shape.height(), width = shape.width();
  const int64_t n = channels * kernel_height * kernel_width, length = width - kernel_width + 1;
  // The images are divided into a fixed number of parts, and the sums of the parts are added in
  // order, so the result does not depend on the number of threads. If the matrix is large, there is
  // only one part, to save memory.
  const int count = n <= 256 ? 32 : 1;
  std::vector<std::vector<double>> parts(count, std::vector<double>(n * n));
  ParallelFor(count, [&](int64_t part) {
    std::vector<const float*> rows(n);
    double* const sums = parts[part].data();
    for (int64_t image = shape.batch() * part / count; image < shape.batch() * (part + 1) / count;
         ++image) {
      for (int64_t y = 0; y + kernel_height <= height; ++y) {
        for (int64_t i = 0; i < n; ++i) {
          const int64_t c = i / (kernel_height * kernel_width),
                        dy = i / kernel_width % kernel_height, dx = i % kernel_width;
          rows[i] = images + ((image * channels + c) * height + y + dy) * width + dx;
        }
        for (int64_t i = 0; i < n; ++i) {
          for (int64_t j = i; j < n; ++j) {
            double sum = 0;
#pragma omp simd reduction(+ : sum)
            for (int64_t x = 0; x < length; ++x)
              sum += static_cast<double>(rows[i][x]) * static_cast<double>(rows[j][x]);
            sums[i * n + j] += sum;
          }
        }
      }
    }
  });
  std::vector<double> moments(n * n);
  const double patches = static_cast<double>(shape.batch() * (height - kernel_height + 1) * length);
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = i; j < n; ++j) {
      for (const std::vector<double>& part : parts) moments[i * n + j] += part[i * n + j];
      moments[j * n + i] = moments[i * n + j] /= patches;
    }
  }
  return moments;
}

}  // namespace

absl::Status CheckInitialiser(const ParameterSpec& parameter) {
  const Initialiser& initialiser = parameter.initialiser;
  const auto error = [](absl::string_view message) { return absl::InvalidArgumentError(message); };
  const int rank = parameter.shape.rank();
  if (initialiser.has_identity() && rank != 2)
    return error("identity is for the weight of a linear layer");
  if (initialiser.has_dirac() && rank != 4)
    return error("dirac is for the weight of a convolution");
  if (initialiser.has_whiten() && rank != 4)
    return error("whiten is for the weight of a convolution");
  for (double value :
       {initialiser.multiply(), initialiser.constant().value(), initialiser.normal().mean(),
        initialiser.normal().deviation(), initialiser.uniform().low(), initialiser.uniform().high(),
        initialiser.xavier_uniform().gain(), initialiser.xavier_normal().gain(),
        initialiser.kaiming_uniform().negative_slope(),
        initialiser.kaiming_normal().negative_slope(), initialiser.whiten().epsilon(),
        initialiser.truncated_normal().mean(), initialiser.truncated_normal().deviation(),
        initialiser.truncated_normal().low(), initialiser.truncated_normal().high()}) {
    if (!std::isfinite(value)) return error("a number in it is not finite");
  }
  if (initialiser.has_sinusoidal() && rank != 3)
    return error("sinusoidal is for the weight of a position");
  const auto& truncated = initialiser.truncated_normal();
  if (!(truncated.deviation() > 0))
    return error("the deviation of truncated_normal is not positive; expected more than 0");
  // An interval more than 6 deviations away from the mean has so little probability that random
  // numbers in it could hardly be told apart.
  const double nearest =
      std::max({truncated.low() - truncated.mean(), truncated.mean() - truncated.high(), 0.0});
  if (!(truncated.low() < truncated.high()) || nearest > 6 * truncated.deviation()) {
    return error(
        "truncated_normal keeps nothing; expected low below high, within 6 deviations of the mean");
  }
  if (initialiser.normal().deviation() < 0)
    return error("the deviation of normal is negative; expected 0 or more");
  if (initialiser.uniform().low() > initialiser.uniform().high())
    return error("the low end of uniform is above its high end");
  if (initialiser.whiten().epsilon() < 0)
    return error("the epsilon of whiten is negative; expected 0 or more");
  if (initialiser.whiten().images() < 1) return error("whiten needs at least one image");
  return absl::OkStatus();
}

void Initialize(const ParameterSpec& parameter, uint64_t seed, absl::Span<float> values) {
  Fill(parameter, parameter.initialiser, RandomStream(seed, parameter.name), values);
  double factor = parameter.initialiser.multiply();
  if (parameter.initialiser.unit_deviation()) {
    if (const double deviation = Deviation(values); deviation > 0) factor /= deviation;
  }
  if (factor == 1) return;
  for (float& value : values) value = static_cast<float>(value * factor);
}

void Initialize(absl::Span<const ParameterSpec> parameters, uint64_t seed,
                absl::Span<float> values) {
  size_t at = 0;
  for (const ParameterSpec& parameter : parameters) {
    const size_t size = parameter.shape.NumElements();
    Initialize(parameter, seed, values.subspan(at, size));
    at += size;
  }
}

absl::Status Whiten(absl::Span<const float> images, const tensor::Shape& image_shape,
                    double epsilon, const tensor::Shape& shape, absl::Span<float> filters) {
  const int64_t count = image_shape.batch(), channels = image_shape.channels(),
                height = image_shape.height(), width = image_shape.width();
  const int64_t kernel_height = shape.height(), kernel_width = shape.width();
  const int64_t n = channels * kernel_height * kernel_width;
  if (shape.channels() != channels || shape.batch() != 2 * n || kernel_height > height ||
      kernel_width > width || count < 1) {
    return absl::InvalidArgumentError(absl::StrCat(
        "filters ", shape.ToString(), " cannot whiten images ", image_shape.ToString()));
  }
  std::vector<double> moments =
                          PatchMoments(images.data(), image_shape, kernel_height, kernel_width),
                      vectors;
  Diagonalize(static_cast<int>(n), moments, vectors);
  std::vector<int64_t> order(n);
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(),
            [&](int64_t a, int64_t b) { return moments[a * n + a] < moments[b * n + b]; });
  for (int64_t i = 0; i < n; ++i) {
    const double variance = std::max(0.0, moments[order[i] * n + order[i]]);
    if (variance + epsilon <= 0)
      return absl::InvalidArgumentError(
          "the images do not vary enough to be whitened without an epsilon");
    const double scale = 1 / std::sqrt(variance + epsilon);
    for (int64_t j = 0; j < n; ++j) {
      const float value = static_cast<float>(vectors[j * n + order[i]] * scale);
      filters[i * n + j] = value;
      filters[(n + i) * n + j] = -value;
    }
  }
  return absl::OkStatus();
}

RandomStream::RandomStream(uint64_t seed, absl::string_view stream)
    : key_{static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)},
      stream_{static_cast<uint32_t>(Fnv1a(stream)), static_cast<uint32_t>(Fnv1a(stream) >> 32)} {}

RandomStream::Block RandomStream::BlockAt(uint64_t i) const {
  uint32_t c[4] = {static_cast<uint32_t>(i), static_cast<uint32_t>(i >> 32), stream_[0],
                   stream_[1]};
  uint32_t k[2] = {key_[0], key_[1]};
  for (int round = 0; round < 10; ++round) {
    const uint64_t a = uint64_t{0xD2511F53} * c[0], b = uint64_t{0xCD9E8D57} * c[2];
    const uint32_t next[4] = {
        static_cast<uint32_t>(b >> 32) ^ c[1] ^ k[0], static_cast<uint32_t>(b),
        static_cast<uint32_t>(a >> 32) ^ c[3] ^ k[1], static_cast<uint32_t>(a)};
    std::copy(next, next + 4, c);
    k[0] += 0x9E3779B9, k[1] += 0xBB67AE85;
  }
  return {{c[0], c[1], c[2], c[3]}};
}

std::array<double, 4> RandomStream::Uniforms(uint64_t i) const {
  const Block block = BlockAt(i);
  return {block.words[0] * 0x1p-32, block.words[1] * 0x1p-32, block.words[2] * 0x1p-32,
          block.words[3] * 0x1p-32};
}

double RandomStream::Uniform(uint64_t i) const { return Uniforms(i / 4)[i % 4]; }

double RandomStream::Normal(uint64_t i) const {
  const Block block = BlockAt(i / 4);
  // Each pair of random words gives a pair of normal numbers.
  const uint32_t* pair = block.words + i % 4 / 2 * 2;
  const double radius = std::sqrt(-2 * std::log((pair[0] + 1.0) * 0x1p-32)),
               angle = 2 * M_PI * pair[1] * 0x1p-32;
  return radius * (i % 2 == 0 ? std::cos(angle) : std::sin(angle));
}

}  // namespace cotangent::layers
