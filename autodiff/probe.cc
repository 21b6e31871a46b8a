#include "autodiff/probe.h"

#include <algorithm>
#include <cstdio>
#include <iterator>

namespace cotangent::autodiff {
namespace {

std::string Number(double value) {
  if (std::isnan(value)) return "nan";  // its sign says nothing
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

IndexSet Union(const IndexSet& a, const IndexSet& b) {
  if (!a || a == b) return b;
  if (!b) return a;
  auto both = std::make_shared<std::vector<std::uint32_t>>();
  both->reserve(a->size() + b->size());
  std::set_union(a->begin(), a->end(), b->begin(), b->end(), std::back_inserter(*both));
  return both;
}

void AddPairs(Findings& findings, const IndexSet& a, const IndexSet& b) {
  if (!a || !b) return;
  for (std::uint32_t i : *a) {
    for (std::uint32_t j : *b) {
      findings.neighbours[i].insert(j);
      findings.neighbours[j].insert(i);
    }
  }
}

// "log(-1)", "2 / 0", "pow(0, -1)".
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

void Findings::AddDomain(std::string note) { AddNote(domain, std::move(note)); }
void Findings::AddKink(std::string note) { AddNote(kinks, std::move(note)); }

Probe Probe::Input(double value, std::uint32_t index, Findings* findings) {
  Probe input(value);
  input.inputs_ = std::make_shared<std::vector<std::uint32_t>>(1, index);
  input.findings_ = findings;
  return input;
}

Probe Probe::Apply(const char* name, double value, std::span<const double> derivatives,
                   std::span<const Probe* const> operands, bool linear) {
  Probe result(value);
  bool finite_arguments = true;
  for (const Probe* operand : operands) {
    finite_arguments = finite_arguments && std::isfinite(operand->value_);
    result.inputs_ = Union(result.inputs_, operand->inputs_);
    if (operand->findings_ != nullptr) result.findings_ = operand->findings_;
  }
  if (result.findings_ == nullptr) return result;
  Findings& findings = *result.findings_;
  if (finite_arguments && !std::isfinite(value)) {
    findings.AddDomain(Call(name, operands) + " is " + Number(value));
  } else if (finite_arguments) {
    for (std::size_t i = 0; i < operands.size(); ++i) {
      if (std::isfinite(derivatives[i]) || !operands[i]->inputs_) continue;
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

Probe logsumexp(std::span<const Probe> x) {
  if (x.empty()) return Probe(-std::numeric_limits<double>::infinity());
  Probe sum = x[0];
  for (const Probe& xi : x.subspan(1)) sum = logsumexp(sum, xi);
  return sum;
}

}  // namespace cotangent::autodiff
