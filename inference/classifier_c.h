/* inference/classifier.h for C, and for whatever can call C. No function throws, exits or prints an error. */
#ifndef COTANGENT_INFERENCE_CLASSIFIER_C_H_
#define COTANGENT_INFERENCE_CLASSIFIER_C_H_

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cotangent_classifier cotangent_classifier;

/* What went wrong: absl::StatusCode's numbers. */
enum {
  COTANGENT_OK = 0,
  COTANGENT_INVALID_ARGUMENT = 3,
  COTANGENT_NOT_FOUND = 5,
  COTANGENT_RESOURCE_EXHAUSTED = 8
};

/* Loads a network; `threads` 0: one a core. Where that fails, returns NULL and writes what was found, expected, and the
   mend to `error` (UTF-8, ends with 0, cut to `error_bytes`), which may be NULL. */
cotangent_classifier* cotangent_load(const char* path, int threads, int64_t batch_size, char* error,
                                     size_t error_bytes);
/* NULL is nothing to free. No other call may be under way. */
void cotangent_free(cotangent_classifier* classifier);

/* How many classes there are, and the name of one, which lives as long as the classifier; NULL for a number that is
   none. */
int64_t cotangent_classes(const cotangent_classifier* classifier);
const char* cotangent_class_name(const cotangent_classifier* classifier, int64_t number);

/* Fills in one probability a class for a picture: `height` rows of `width` pixels, a byte each of red, green, blue. Any
   number of threads may call at the same time. Returns COTANGENT_OK or what went wrong, with `error` as above. */
int cotangent_classify(cotangent_classifier* classifier, const uint8_t* rgb, int width, int height,
                       float* probabilities, char* error, size_t error_bytes);

#ifdef __cplusplus
}
#endif

#endif /* COTANGENT_INFERENCE_CLASSIFIER_C_H_ */
