// The error message of tables that constants at namespace scope fill while the program starts: each
// constant adds an entry, and two entries under the same name are an error in the program.
#ifndef COTANGENT_BASE_REGISTERED_TWICE_H_
#define COTANGENT_BASE_REGISTERED_TWICE_H_

#include <string_view>

namespace cotangent {

// Ends the program with a message: two files register `what`, such as "layer softmax".
[[noreturn]] void RegisteredTwice(std::string_view what);

}  // namespace cotangent

#endif  // COTANGENT_BASE_REGISTERED_TWICE_H_
