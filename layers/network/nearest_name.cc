// Suggests a known name in place of an unknown one.

#include "layers/network/nearest_name.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "base/edit_distance.h"

namespace cotangent::layers {
namespace {

// Only this many bytes at the beginning of each name are compared, which bounds the work.
constexpr size_t kLongestCompared = 100;

// Pairs a name that PyTorch (classes and arguments) or Caffe (layers and fields) uses, in lower
// case without `_`, with the name in network texts (network.proto) for the same thing. A name of
// theirs may be listed several times; the first of the paired names that is among the known names
// is suggested.
struct Alias {
  const char* theirs;
  const char* ours;
};
constexpr Alias kAliases[] = {
    {"adaptiveavgpool2d", "adaptive_average_pool"},
    {"avgpool2d", "average_pool"},
    {"avgpool", "average_pool"},
    {"batchnorm2d", "batch_norm"},
    {"biasfiller", "bias_init"},
    {"cat", "concat"},
    {"ceilmode", "ceil"},
    {"clstoken", "class_token"},
    {"conv", "convolution"},
    {"conv2d", "convolution"},
    {"convtranspose2d", "transposed_convolution"},
    {"countincludepad", "count_padding"},
    {"deconv", "transposed_convolution"},
    {"deconvolution", "transposed_convolution"},
    {"dense", "linear"},
    {"droprate", "rate"},
    {"dropoutratio", "rate"},
    {"eltwise", "elementwise"},
    {"eps", "epsilon"},
    {"fc", "linear"},
    {"fullyconnected", "linear"},
    {"hardswish", "HARD_SWISH"},
    {"innerproduct", "linear"},
    {"instancenorm2d", "group_norm"},
    {"interpolate", "resize"},
    {"kernelsize", "kernel"},
    {"layerscale", "scale"},
    {"lr", "learning_rate"},
    {"lrn", "local_response_norm"},
    {"mode", "padding_mode"},
    {"mul", "multiply"},
    {"multiheadattention", "attention"},
    {"negativeslope", "slope"},
    {"numgroups", "groups"},
    {"numheads", "heads"},
    {"numoutput", "channels"},
    {"numoutput", "features"},
    {"outchannels", "channels"},
    {"outfeatures", "features"},
    {"outputsize", "size"},
    {"p", "rate"},
    {"permutechannels", "channel_shuffle"},
    {"pooling", "max_pool"},
    {"positionalencoding", "position"},
    {"positionembedding", "position"},
    {"relu", "activation"},
    {"gelu", "activation"},
    {"relu6", "activation"},
    {"hardsigmoid", "activation"},
    {"sigmoid", "activation"},
    {"silu", "activation"},
    {"tanh", "activation"},
    {"elu", "activation"},
    {"leakyrelu", "activation"},
    {"mish", "activation"},
    {"scalefactor", "times"},
    {"squeezeexcitation", "multiply"},
    {"stochasticdepth", "drop_path"},
    {"swish", "SILU"},
    {"swish", "activation"},
    {"truncnormal", "truncated_normal"},
    {"units", "features"},
    {"upsample", "resize"},
    {"view", "flatten"},
    {"weightfiller", "weight_init"},
};

std::string KnownAlias(absl::string_view found, const std::vector<std::string>& names) {
  const std::string theirs =
      absl::StrReplaceAll(absl::AsciiStrToLower(found), {{"_", ""}, {"nn.", ""}});
  for (const Alias& alias : kAliases) {
    if (theirs == alias.theirs && std::find(names.begin(), names.end(), alias.ours) != names.end())
      return alias.ours;
  }
  return "";
}

}  // namespace

std::string NearestName(absl::string_view found, const std::vector<std::string>& names) {
  const std::string lower = absl::AsciiStrToLower(found.substr(0, kLongestCompared));
  std::string nearest;
  size_t smallest = kLongestCompared;
  for (const std::string& name : names) {
    const std::string other =
        absl::AsciiStrToLower(absl::string_view(name).substr(0, kLongestCompared));
    const size_t distance = EditDistance(lower, other);
    const size_t bound = std::max<size_t>(2, std::max(lower.size(), other.size()) / 3);
    if (distance > bound || distance >= std::max(lower.size(), other.size()) ||
        distance >= smallest)
      continue;
    smallest = distance;
    nearest = name;
  }
  return nearest;
}

std::string Suggestion(absl::string_view found, const std::vector<std::string>& names) {
  std::string nearest = KnownAlias(found, names);
  if (nearest.empty()) nearest = NearestName(found, names);
  if (!nearest.empty()) {
    return absl::StrCat("did you mean '", nearest, "'?");
  }
  if (names.empty()) return "none is known here";
  return absl::StrCat("known are: ", absl::StrJoin(names, ", "));
}

}  // namespace cotangent::layers
