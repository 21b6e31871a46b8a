// Properties that a fuzz target claims of whatever it has read.
#ifndef COTANGENT_TESTS_FUZZ_PROPERTY_H_
#define COTANGENT_TESTS_FUZZ_PROPERTY_H_

#include <stdio.h>
#include <stdlib.h>

// Ends the process where a property does not hold: a finding, for the fuzzer as for the replay.
#define COTANGENT_PROPERTY(condition)                                                \
  do {                                                                               \
    if (!(condition)) {                                                              \
      fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition); \
      abort();                                                                       \
    }                                                                                \
  } while (false)

#endif  // COTANGENT_TESTS_FUZZ_PROPERTY_H_
