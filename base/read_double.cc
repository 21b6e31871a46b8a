#include "base/read_double.h"

#include <locale.h>
#include <stdlib.h>

namespace cotangent {

double ReadDouble(const char* text, char** end) {
  static const locale_t with_point = newlocale(LC_ALL_MASK, "C", nullptr);
  return strtod_l(text, end, with_point);
}

}  // namespace cotangent
