#include "autodiff/symbolic/rewrite.h"

#include "absl/container/flat_hash_map.h"

namespace cotangent::autodiff::symbolic {

Expr WithArguments(Expr node, absl::Span<const Expr> args) {
  return node.args() == args ? node : Apply(node.op(), args);
}

std::vector<Expr> Rewrite(absl::Span<const Expr> roots, const RewriteRule& rule) {
  absl::flat_hash_map<Expr, Expr> result;
  std::vector<Expr> args;
  for (Expr node : TopologicalOrder(roots)) {
    args.clear();
    for (Expr arg : node.args()) args.push_back(result[arg]);
    const Expr replacement = rule(node, args);
    result[node] = replacement ? replacement : WithArguments(node, args);
  }
  std::vector<Expr> rewritten;
  for (Expr root : roots) rewritten.push_back(result[root]);
  return rewritten;
}

Expr Rewrite(Expr root, const RewriteRule& rule) {
  return Rewrite(absl::MakeConstSpan(&root, 1), rule)[0];
}

}  // namespace cotangent::autodiff::symbolic
