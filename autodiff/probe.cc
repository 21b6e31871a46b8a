#include "autodiff/probe.h"

#include <algorithm>
#include <cstdio>
#include <iterator>
#include <utility>

namespace cotangent::autodiff {
namespace {

std::string Number(double value) {
  if (std::isnan(value)) return "nan";  // the sign of NaN means nothing
  char text[32];
  std::snprintf(text, sizeof(text), "%.10g", value);
  return text;
}

void AddNote(std::vector<std::string>& notes, std::string note) {
  if (notes.size() < Findings::kMostNotes &&
      std::find(notes.begin(), notes.end(), note) == notes.end()) {
    notes.push_back(std::move(note));
  }
}

void AddPairs(Findings& findings, IndexSets::Id a, IndexSets::Id b) {
  if (a == IndexSets::kEmpty || b == IndexSets::kEmpty) return;
  const std::vector<std::uint32_t> of_a = findings.sets.Elements(a),
                                   of_b = a == b ? of_a : findings.sets.Elements(b);
  for (std::uint32_t i : of_a) {
    for (std::uint32_t j : of_b) {
      findings.neighbours[i].insert(j);
      findings.neighbours[j].insert(i);
    }
  }
}

// Returns an operation with the values of its operands as text: "log(-1)", "2 / 0", "pow(0, -1)".
std::string Call(const std::string& name, std::span<const Probe* const> operands) {
  const bool is_operator = name.size() == 1;
  if (is_operator && operands.size() == 2) {
    return Number(operands[0]->value()) + " " + name + " " + Number(operands[1]->value());
  }
  std::string call = name + "(";
  for (std::size_t i = 0; i < operands.size(); ++i)
    call += (i == 0 ? "" : ", ") + Number(operands[i]->value());
  return call + ")";
}

}  // namespace

IndexSets::Id IndexSets::Append(std::span<const std::uint32_t> elements) {
  sets_.push_back({static_cast<std::uint32_t>(elements_.size()),
                   static_cast<std::uint32_t>(elements.size()), kEmpty, kEmpty});
  elements_.insert(elements_.end(), elements.begin(), elements.end());
  return static_cast<Id>(sets_.size() - 1);
}

IndexSets::Id IndexSets::Single(std::uint32_t index) { return Append({&index, 1}); }

IndexSets::Id IndexSets::Union(Id a, Id b) {
  if (a == b || b == kEmpty) return a;
  if (a == kEmpty) return b;
  constexpr std::size_t kMostListed = 32;
  const Set &x = sets_[a], &y = sets_[b];
  if (x.IsListed() && y.IsListed() && x.size + y.size <= kMostListed) {
    std::uint32_t both[kMostListed];
    const auto in_x = List(x), in_y = List(y);
    const std::size_t size =
        std::set_union(in_x.begin(), in_x.end(), in_y.begin(), in_y.end(), both) - both;
    if (size == x.size) return a;
    if (size == y.size) return b;
    return Append({both, size});
  }
  if (x.left == b || x.right == b) return a;
  if (y.left == a || y.right == a) return b;
  sets_.push_back({0, 0, a, b});
  return static_cast<Id>(sets_.size() - 1);
}

std::vector<std::uint32_t> IndexSets::Elements(Id set) {
  if (sets_[set].IsListed()) {
    const auto list = List(sets_[set]);
    return {list.begin(), list.end()};
  }
  visited_.resize(sets_.size(), 0);
  ++question_;
  std::vector<std::uint32_t> elements;
  std::vector<Id> waiting = {set};
  while (!waiting.empty()) {
    const Id id = waiting.back();
    waiting.pop_back();
    if (std::exchange(visited_[id], question_) == question_) continue;
    const Set& next = sets_[id];
    if (next.IsListed()) {
      const auto list = List(next);
      elements.insert(elements.end(), list.begin(), list.end());
    } else {
      waiting.push_back(next.left);
      waiting.push_back(next.right);
    }
  }
  std::sort(elements.begin(), elements.end());
  elements.erase(std::unique(elements.begin(), elements.end()), elements.end());
  // Stores the list, so that later calls for this set, or for unions that contain it, need not
  // collect its elements again.
  sets_[set] = {static_cast<std::uint32_t>(elements_.size()),
                static_cast<std::uint32_t>(elements.size()), kEmpty, kEmpty};
  elements_.insert(elements_.end(), elements.begin(), elements.end());
  return elements;
}

void Findings::AddDomain(std::string note) { AddNote(domain, std::move(note)); }
void Findings::AddKink(std::string note) { AddNote(kinks, std::move(note)); }

namespace probing {

Probe Probe::Input(double value, std::uint32_t index, Findings* findings) {
  Probe input(value);
  input.inputs_ = findings->sets.Single(index);
  input.findings_ = findings;
  return input;
}

Probe Probe::WithValue(double value) const {
  Probe other = *this;
  other.value_ = value;
  return other;
}

std::vector<std::uint32_t> Probe::Inputs() const {
  return findings_ == nullptr ? std::vector<std::uint32_t>() : findings_->sets.Elements(inputs_);
}

Probe Probe::Apply(const char* name, double value, std::span<const double> derivatives,
                   std::span<const Probe* const> operands, bool linear) {
  Probe result(value);
  bool finite_arguments = true;
  for (const Probe* operand : operands) {
    finite_arguments = finite_arguments && std::isfinite(operand->value_);
    if (operand->findings_ == nullptr) continue;
    result.findings_ = operand->findings_;
    result.inputs_ = result.findings_->sets.Union(result.inputs_, operand->inputs_);
  }
  if (result.findings_ == nullptr) return result;
  Findings& findings = *result.findings_;
  if (finite_arguments && !std::isfinite(value)) {
    findings.AddDomain(Call(name, operands) + " is " + Number(value));
  } else if (finite_arguments) {
    for (std::size_t i = 0; i < operands.size(); ++i) {
      if (std::isfinite(derivatives[i]) || operands[i]->IsConstant()) continue;
      findings.AddDomain(Call(name, operands) + " has derivative " + Number(derivatives[i]) +
                         (operands.size() > 1 ? " by argument " + std::to_string(i + 1) : ""));
    }
  }
  if (findings.track_pairs && !linear) {
    const std::string_view operation = name;
    if (operation == "*") {
      AddPairs(findings, operands[0]->inputs_, operands[1]->inputs_);
    } else if (operation == "/") {
      AddPairs(findings, result.inputs_, operands[1]->inputs_);
    } else {
      AddPairs(findings, result.inputs_, result.inputs_);
    }
  }
  return result;
}

void Probe::NoteTie(const Probe& a, const Probe& b, const char* relation, bool outcome) {
  if (a.value_ != b.value_) return;
  Findings* const findings = a.findings_ != nullptr ? a.findings_ : b.findings_;
  if (findings == nullptr) return;
  findings->AddKink("a branch on " + Number(a.value_) + " " + relation + " " + Number(b.value_) +
                    ", of equals: the side where it is " + (outcome ? "true" : "false") +
                    " is taken");
}

void Probe::NoteKink(const char* name, const std::string& taken) const {
  if (findings_ != nullptr)
    findings_->AddKink(std::string(name) + " at " + Number(value_) + ": " + taken);
}

Probe CotangentApply(functions::rule::logsumexp, std::span<const Probe> x) {
  std::vector<double> values, derivatives;
  std::vector<const Probe*> operands;
  for (const Probe& xi : x) {
    values.push_back(xi.value());
    operands.push_back(&xi);
  }
  const double sum = functions::logsumexp(std::span<const double>(values));
  const auto ties = std::count(values.begin(), values.end(), sum);
  for (double value : values) {
    derivatives.push_back(std::isinf(sum) ? (value == sum ? 1.0 / ties : 0)
                                          : std::exp(value - sum));
  }
  return Probe::Apply("logsumexp", sum, derivatives, operands, false);
}

}  // namespace probing
}  // namespace cotangent::autodiff
