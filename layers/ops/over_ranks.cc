// Means and moments (mean and variance) over ranks, which are processes that share each batch. m_r
// and v_r are the mean and variance of rank r's share (see over_ranks.h).

#include "layers/ops/over_ranks.h"

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "layers/graph/operation.h"
#include "layers/ops/rules.h"
#include "layers/plan/kernel.h"

namespace cotangent::layers {
namespace {

// Adds the mean over the ranks of each tensor in `d` and returns the means; kNoTensor stays
// kNoTensor.
std::vector<TensorId> MeansOf(Graph& graph, const std::string& name,
                              const std::vector<TensorId>& d) {
  std::vector<TensorId> present;
  std::copy_if(d.begin(), d.end(), std::back_inserter(present),
               [](TensorId t) { return t != kNoTensor; });
  const std::vector<TensorId> means = MeanOverRanks(graph, name, present);
  std::vector<TensorId> all;
  size_t next = 0;
  for (TensorId t : d) all.push_back(t == kNoTensor ? kNoTensor : means[next++]);
  return all;
}

int64_t Elements(const Graph& graph, const std::vector<TensorId>& tensors) {
  int64_t count = 0;
  for (TensorId t : tensors) count += graph.shape(t).NumElements();
  return count;
}

class MeanOverRanksOperation : public OperationWithKernel<MeanOverRanksOperation> {
 public:
  const char* name() const override { return "mean_over_ranks"; }
  bool occurs_in_inference() const override { return false; }
  Storage StorageOf(const Graph&, const Node&, int) const override { return Storage::kPlain; }

  absl::Status Vjp(ReverseRule& rule) const override {
    const std::vector<TensorId> means = MeansOf(rule.graph, rule.node.name, rule.d);
    for (size_t i = 0; i < means.size(); ++i) {
      if (means[i] != kNoTensor) rule.Contribute(rule.in(static_cast<int>(i)), means[i]);
    }
    return absl::OkStatus();
  }
  absl::Status Jvp(ForwardRule& rule) const override {
    rule.made = MeansOf(rule.graph, rule.node.name, rule.d);
    return absl::OkStatus();
  }

  template <class T>
  absl::Status Compute(const Node& node, Evaluation<T>& e) const {
    for (size_t i = 0; i < node.inputs.size(); ++i)
      e.out(node, static_cast<int>(i)) = e.in(node, static_cast<int>(i));
    return absl::OkStatus();
  }

  absl::StatusOr<Kernel> Bind(KernelContext& kernel) const override {
    return
        [buffer = kernel.buffer, node = kernel.node, ranks = kernel.ranks,
         all = std::vector<double>(Elements(kernel.graph, kernel.node.inputs))](int64_t) mutable {
          double* end = all.data();
          for (TensorId t : node.inputs) {
            const Buffer x = buffer(t);
            end = std::copy_n(x.as<float>(), x.shape.NumElements(), end);
          }
          if (ranks.ranks > 1) ranks.sum(absl::MakeSpan(all));
          const double* value = all.data();
          for (TensorId t : node.outputs) {
            const Buffer y = buffer(t);
            for (int64_t i = 0; i < y.shape.NumElements(); ++i)
              y.as<float>()[i] = static_cast<float>(*value++ / ranks.ranks);
          }
        };
  }
};

class MomentsOverRanksOperation : public OperationWithKernel<MomentsOverRanksOperation> {
 public:
  const char* name() const override { return "moments_over_ranks"; }
  bool occurs_in_inference() const override { return false; }
  Storage StorageOf(const Graph&, const Node&, int) const override { return Storage::kPlain; }

  // Let A and B be the means, over the ranks, of the cotangents of the result's mean and variance.
  // Then the cotangent of m_r is A + 2 (m_r - mean) B, and the cotangent of v_r is B. (The variance
  // depends on m_r also through the mean, but that term vanishes because the deviations m_r - mean
  // sum to 0.)
  absl::Status Vjp(ReverseRule& rule) const override {
    const std::vector<TensorId> d = MeansOf(rule.graph, rule.node.name, rule.d);
    RuleBuilder rules(rule.graph, rule.node.name);
    if (d[0] != kNoTensor) rule.Contribute(rule.in(0), d[0]);
    if (d[1] == kNoTensor) return absl::OkStatus();
    rule.Contribute(rule.in(1), d[1]);
    rule.Contribute(rule.in(0),
                    rules.Elementwise(2 * (rules.a(0) - rules.a(1)) * rules.a(2),
                                      {rule.in(0), rule.out(0), d[1]}, rule.shape(rule.in(0))));
    return rules.status();
  }
  // A prime denotes a tangent: mean' is the mean over the ranks of m_r', and variance' the mean of
  // v_r' + 2 (m_r - mean) m_r'.
  absl::Status Jvp(ForwardRule& rule) const override {
    RuleBuilder rules(rule.graph, rule.node.name);
    std::vector<TensorId> of_variance;
    if (rule.d[1] != kNoTensor) of_variance.push_back(rule.d[1]);
    if (rule.d[0] != kNoTensor)
      of_variance.push_back(rules.Elementwise(2 * (rules.a(0) - rules.a(1)) * rules.a(2),
                                              {rule.in(0), rule.out(0), rule.d[0]},
                                              rule.shape(rule.in(0))));
    const TensorId variance = of_variance.size() == 1 ? of_variance[0] : rules.Add(of_variance);
    RETURN_IF_ERROR(rules.status());
    rule.made = MeansOf(rule.graph, rule.node.name, {rule.d[0], variance});
    return absl::OkStatus();
  }

  // The reference implementation (layers/graph/reference.h) has only one rank, so Compute() copies
  // the inputs to the outputs.
  template <class T>
  absl::Status Compute(const Node& node, Evaluation<T>& e) const {
    e.out(node, 0) = e.in(node, 0);
    e.out(node, 1) = e.in(node, 1);
    return absl::OkStatus();
  }

  absl::StatusOr<Kernel> Bind(KernelContext& kernel) const override {
    const int64_t channels = kernel.graph.shape(kernel.node.inputs[0]).NumElements();
    return [buffer = kernel.buffer, node = kernel.node, ranks = kernel.ranks, channels,
            sums = std::vector<double>(2 * channels)](int64_t) mutable {
      const float* const mean = buffer(node.inputs[0]).as<float>();
      const float* const variance = buffer(node.inputs[1]).as<float>();
      float* const mean_of_all = buffer(node.outputs[0]).as<float>();
      float* const variance_of_all = buffer(node.outputs[1]).as<float>();
      if (ranks.ranks == 1) {
        std::copy_n(mean, channels, mean_of_all);
        std::copy_n(variance, channels, variance_of_all);
        return;
      }
      // Doubles are precise enough to compute the variance as E[x^2] - E[x]^2: little is lost when
      // the two terms cancel.
      for (int64_t c = 0; c < channels; ++c) {
        const double m = mean[c];
        sums[c] = m;
        sums[channels + c] = variance[c] + m * m;
      }
      ranks.sum(absl::MakeSpan(sums));
      for (int64_t c = 0; c < channels; ++c) {
        const double m = sums[c] / ranks.ranks;
        mean_of_all[c] = static_cast<float>(m);
        variance_of_all[c] =
            static_cast<float>(std::max(0.0, sums[channels + c] / ranks.ranks - m * m));
      }
    };
  }
};

const MeanOverRanksOperation mean_over_ranks;
const MomentsOverRanksOperation moments_over_ranks;

}  // namespace

const Op kMeanOverRanks = &mean_over_ranks, kMomentsOverRanks = &moments_over_ranks;

std::vector<TensorId> MeanOverRanks(Graph& graph, absl::string_view name,
                                    const std::vector<TensorId>& vectors) {
  std::vector<std::string> suffixes;
  for (size_t i = 0; i < vectors.size(); ++i) suffixes.push_back(absl::StrCat(".", i));
  std::vector<Graph::Output> results;
  for (size_t i = 0; i < vectors.size(); ++i)
    results.push_back({suffixes[i], graph.shape(vectors[i])});
  return graph.AddNode(kMeanOverRanks, name, vectors, {}, results);
}

MomentsResult MomentsOverRanks(Graph& graph, absl::string_view name, const MomentsResult& own) {
  const std::vector<TensorId> made =
      graph.AddNode(kMomentsOverRanks, name, {own.mean, own.variance}, {},
                    {{".mean", graph.shape(own.mean)}, {".variance", graph.shape(own.variance)}});
  return {made[0], made[1]};
}

}  // namespace cotangent::layers
