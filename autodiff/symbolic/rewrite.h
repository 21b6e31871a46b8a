#ifndef COTANGENT_AUTODIFF_SYMBOLIC_REWRITE_H_
#define COTANGENT_AUTODIFF_SYMBOLIC_REWRITE_H_

#include <functional>
#include <vector>

#include "absl/types/span.h"
#include "autodiff/symbolic/expression.h"

// Rewrites expressions from their variables and constants up to their roots.
namespace cotangent::autodiff::symbolic {

// Returns what replaces `node`, whose rewritten arguments are `args`. A null result leaves the
// operation as it is: WithArguments(node, args) replaces the node.
using RewriteRule = std::function<Expr(Expr node, absl::Span<const Expr> args)>;

// Applies `rule` once to each node of the roots, which must be of one pool, arguments before their
// users. Returns what replaces the roots. Nodes that the rule builds are not rewritten again.
std::vector<Expr> Rewrite(absl::Span<const Expr> roots, const RewriteRule& rule);
Expr Rewrite(Expr root, const RewriteRule& rule);

// Returns the operation of `node` applied to `args`, folded as expression.h says; `node` itself if
// `args` are its arguments.
Expr WithArguments(Expr node, absl::Span<const Expr> args);

}  // namespace cotangent::autodiff::symbolic

#endif  // COTANGENT_AUTODIFF_SYMBOLIC_REWRITE_H_
