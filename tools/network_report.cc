#include "tools/network_report.h"

#include <stdio.h>

#include <chrono>
#include <functional>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/status_macros.h"
#include "layers/network/network_text.h"
#include "layers/zoo/zoo.h"
#include "nlohmann/json.hpp"
#include "tools/command_line.h"
#include "tools/text_table.h"
#include "tools/tuner_watch.h"
#include "training/plan_cache.h"

namespace cotangent::tools {
namespace {

std::string Number(double value, int digits) {
  return absl::StrFormat("%.*g", digits, value == 0 ? 0.0 : value);
}

// Returns a function that prints progress on standard error, at most once in a few seconds.
std::function<void(const std::string&)> SignsOfLife() {
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::seconds kEvery(5);
  return [last = Clock::now()](const std::string& what) mutable {
    if (Clock::now() - last < kEvery) return;
    last = Clock::now();
    fprintf(stderr, "checking: %s...\n", what.c_str());
  };
}

}  // namespace

absl::StatusOr<NetworkReport> MakeNetworkReport(const NetworkReportOptions& options) {
  ASSIGN_OR_RETURN(layers::Network network, layers::FindNetwork(options.network));
  for (const std::string& assignment : options.overrides) {
    RETURN_IF_ERROR(layers::ApplyOverride(network, assignment));
  }
  int threads;
  RETURN_IF_ERROR(UseThreads(options.threads, &threads));
  training::CachedTuner tuner(threads, TerminalWatch(), options.network);
  layers::NetworkFunctionOptions of_function;
  of_function.batch_size = options.batch_size;
  of_function.seed = options.seed;
  of_function.threads = threads;
  ASSIGN_OR_RETURN(const std::unique_ptr<layers::NetworkFunction> function,
                   layers::NetworkFunction::Create(network, *tuner, of_function));
  function->SetToRandomPoint(options.seed);
  layers::NetworkCheckOptions of_check;
  of_check.seed = options.seed;
  of_check.progress = SignsOfLife();
  ASSIGN_OR_RETURN(layers::NetworkCheck check, layers::CheckNetwork(*function, of_check));
  NetworkReport report;
  report.network = network.name().empty() ? options.network : network.name();
  report.batch_size = options.batch_size;
  report.parameters = static_cast<int64_t>(function->point().parameters.size());
  report.check = std::move(check);
  return report;
}

std::string NetworkReportAsText(const NetworkReport& report) {
  const layers::NetworkCheck& check = report.check;
  std::string text = absl::StrCat(
      report.network, " at a random point, batch ", report.batch_size, ", ", report.parameters,
      " parameters: loss ", Number(check.loss, 7), " (f32, planned), ",
      Number(check.reference_loss, 10),
      " (f64, plain loops)\n\n"
      "slopes of the loss along a random direction of each parameter, and what differs:\n");
  std::vector<std::vector<std::string>> rows = {{"", "shape", "|gradient|", "reverse", "forward",
                                                 "numeric", "error", "forward off", "numeric off",
                                                 "Hessian off", ""}};
  bool kinks = false, ill_conditioned = false;
  for (const layers::NetworkCheckRow& row : check.rows) {
    kinks = kinks || row.at_kink, ill_conditioned = ill_conditioned || row.ill_conditioned;
    rows.push_back(
        {row.name, row.shape.ToString(), Number(row.gradient_norm, 4), Number(row.reverse, 6),
         Number(row.forward, 6), Number(row.numeric, 6),
         absl::StrCat("+-", Number(row.numeric_error, 2)), Number(row.forward_off, 2),
         Number(row.numeric_off, 2), Number(row.hessian_off, 2),
         absl::StrCat(
             row.agrees ? "" : "DISAGREES",
             row.agrees || !(row.at_kink || row.ill_conditioned) ? "" : ", ",
             row.at_kink ? "at a kink" : "",
             row.ill_conditioned ? (row.at_kink ? ", ill-conditioned" : "ill-conditioned") : "")});
  }
  absl::StrAppend(&text, TextTable(rows, {true, true, false, false, false, false, false, false,
                                          false, false, true}));
  absl::StrAppend(&text,
                  "\noff: relative to the parameter's average slope |gradient| / sqrt(n); Hessian: "
                  "its product with a direction against differences of gradients\n");
  if (kinks) {
    absl::StrAppend(&text,
                    "at a kink: one-sided slopes differ there, so differences do not judge\n");
  }
  if (ill_conditioned) {
    absl::StrAppend(&text,
                    "ill-conditioned: f32 rounding alone changes the slope by more than what is "
                    "tolerated elsewhere; it may differ by that\n");
  }
  absl::StrAppend(&text, "Hessian symmetric: u H v = ", Number(check.u_hessian_v, 7),
                  ", v H u = ", Number(check.v_hessian_u, 7), ", off by ",
                  Number(check.asymmetry, 2), check.symmetric ? "" : "  DISAGREES", "\n\n",
                  check.agrees ? "reverse, forward and numeric agree\n"
                               : "reverse, forward and numeric DISAGREE\n");
  return text;
}

std::string NetworkReportAsJson(const NetworkReport& report) {
  const layers::NetworkCheck& check = report.check;
  nlohmann::json rows = nlohmann::json::array();
  for (const layers::NetworkCheckRow& row : check.rows) {
    nlohmann::json shape = nlohmann::json::array();
    for (int i = 0; i < row.shape.rank(); ++i) shape.push_back(row.shape[i]);
    rows.push_back({{"name", row.name},
                    {"shape", shape},
                    {"gradient_norm", row.gradient_norm},
                    {"reverse", row.reverse},
                    {"forward", row.forward},
                    {"numeric", row.numeric},
                    {"numeric_error", row.numeric_error},
                    {"forward_off", row.forward_off},
                    {"numeric_off", row.numeric_off},
                    {"hessian_norm", row.hessian_norm},
                    {"hessian_off", row.hessian_off},
                    {"hessian_error", row.hessian_error},
                    {"rounding", row.rounding},
                    {"ill_conditioned", row.ill_conditioned},
                    {"at_kink", row.at_kink},
                    {"agrees", row.agrees}});
  }
  const nlohmann::json json = {{"network", report.network},
                               {"batch_size", report.batch_size},
                               {"parameters", report.parameters},
                               {"loss", check.loss},
                               {"reference_loss", check.reference_loss},
                               {"rows", rows},
                               {"u_hessian_v", check.u_hessian_v},
                               {"v_hessian_u", check.v_hessian_u},
                               {"asymmetry", check.asymmetry},
                               {"symmetric", check.symmetric},
                               {"agrees", check.agrees}};
  return json.dump(2) + "\n";
}

}  // namespace cotangent::tools
