#include "training/report/learning_rate_page.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "training/report/html.h"
#include "training/report/plot.h"

namespace cotangent::training::report {
namespace {

constexpr size_t kLines = 24;
constexpr double kBarCells = 48;

std::string HowToTakeIt(const LearningRateSweep& sweep) {
  return absl::StrFormat("--set %s=%.2g", sweep.field, sweep.proposal);
}

}  // namespace

std::string ToText(const LearningRateSweep& sweep) {
  std::string text = "learning rate  loss\n";
  const std::vector<double> losses = Smooth(sweep.losses);
  const auto [low, high] = std::minmax_element(losses.begin(), losses.end());
  const size_t stride = std::max<size_t>(1, (sweep.rates.size() + kLines - 1) / kLines);
  for (size_t i = 0; i < sweep.rates.size(); i += stride) {
    const double share = *high > *low ? (losses[i] - *low) / (*high - *low) : 0;
    absl::StrAppendFormat(&text, "%13.2g  %-8.4g %s\n", sweep.rates[i], losses[i],
                          std::string(1 + std::lround(kBarCells * share), '='));
  }
  absl::StrAppendFormat(
      &text,
      "proposal: learning rate %.2g, between the middle of the loss's fall and its rise: %s\n",
      sweep.proposal, HowToTakeIt(sweep));
  return text;
}

std::string ToHtml(const LearningRateSweep& sweep, const std::string& network) {
  const auto [low, high] = std::minmax_element(sweep.losses.begin(), sweep.losses.end());
  const Plot plot{
      .title = "Loss while the learning rate grows",
      .x_label = "learning rate",
      .y_label = "loss",
      .log_x = true,
      .series = {
          {.name = "loss of a batch", .x = sweep.rates, .y = sweep.losses, .mark = Mark::kPoints},
          {.name = "mean of neighbours", .x = sweep.rates, .y = Smooth(sweep.losses)},
          {.name = "proposal",
           .x = {sweep.proposal, sweep.proposal},
           .y = {*low, *high},
           .mark = Mark::kDashed}}};
  return absl::StrCat(
      BeginPage(absl::StrCat(network, ": learning rate")), "<header>\n<h1>", EscapeHtml(network),
      ": learning rate</h1>\n</header>\n<main>\n<figure>", ToSvg(plot),
      "<figcaption>Proposal, between the middle of the loss's fall and its rise: ",
      absl::StrFormat("%.2g", sweep.proposal), ": <code>", EscapeHtml(HowToTakeIt(sweep)),
      "</code></figcaption></figure>\n</main>\n", EndPage());
}

}  // namespace cotangent::training::report
