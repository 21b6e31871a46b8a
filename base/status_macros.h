// Macros that return errors to the caller.
//   absl::StatusOr<int> Twice(absl::string_view text) {
//     RETURN_IF_ERROR(CheckLength(text));               // absl::Status CheckLength(...)
//     ASSIGN_OR_RETURN(const int value, Parse(text));   // absl::StatusOr<int> Parse(...)
//     return 2 * value;
//   }
//
// Each macro is used as a statement; put braces around it if it is the body of an `if`. A type with
// a comma outside parentheses (std::pair<int, int>) cannot be declared in ASSIGN_OR_RETURN; give it
// an alias first.
#ifndef COTANGENT_BASE_STATUS_MACROS_H_
#define COTANGENT_BASE_STATUS_MACROS_H_

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

// Evaluates `expression`, an absl::Status; if it is an error, returns it from the enclosing
// function.
#define RETURN_IF_ERROR(expression)                                           \
  do {                                                                        \
    if (absl::Status cotangent_status = (expression); !cotangent_status.ok()) \
      return cotangent_status;                                                \
  } while (false)

// Evaluates the expression, an absl::StatusOr, and assigns its value to `target`, a variable or a
// declaration of one; if the StatusOr holds an error, returns the error from the enclosing
// function.
#define ASSIGN_OR_RETURN(target, ...) \
  COTANGENT_ASSIGN_OR_RETURN(COTANGENT_JOIN(cotangent_status_or_, __LINE__), target, (__VA_ARGS__))

#define COTANGENT_ASSIGN_OR_RETURN(status_or, target, expression) \
  auto status_or = expression;                                    \
  if (!status_or.ok()) return status_or.status();                 \
  target = *std::move(status_or)
#define COTANGENT_JOIN(a, b) COTANGENT_JOIN_TOKENS(a, b)
#define COTANGENT_JOIN_TOKENS(a, b) a##b

#endif  // COTANGENT_BASE_STATUS_MACROS_H_
