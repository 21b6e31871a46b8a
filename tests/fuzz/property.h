// Defines a macro for properties that must hold for every input that a fuzz target has read.
#ifndef COTANGENT_TESTS_FUZZ_PROPERTY_H_
#define COTANGENT_TESTS_FUZZ_PROPERTY_H_

#include <stdio.h>
#include <stdlib.h>

// Ends the process if the condition does not hold. Both a fuzzer and replay_test report this as a
// failure.
#define COTANGENT_PROPERTY(condition)                                                \
  do {                                                                               \
    if (!(condition)) {                                                              \
      fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition); \
      abort();                                                                       \
    }                                                                                \
  } while (false)

#endif  // COTANGENT_TESTS_FUZZ_PROPERTY_H_
