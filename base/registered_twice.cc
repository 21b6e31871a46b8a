#include "base/registered_twice.h"

#include <cstdio>
#include <cstdlib>

namespace cotangent {

void RegisteredTwice(std::string_view what) {
  fprintf(stderr, "%.*s is registered twice in this program; expected once\n",
          static_cast<int>(what.size()), what.data());
  abort();
}

}  // namespace cotangent
