/* The interface of inference/classifier.h for C and for languages that can call C. No function throws, exits or prints. */
#ifndef COTANGENT_INFERENCE_CLASSIFIER_C_H_
#define COTANGENT_INFERENCE_CLASSIFIER_C_H_

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* NOLINTNEXTLINE(modernize-use-using): this is C */
typedef struct cotangent_classifier cotangent_classifier;

/* Result codes, with the numbers of absl::StatusCode. */
enum {
  COTANGENT_OK = 0,
  COTANGENT_INVALID_ARGUMENT = 3,
  COTANGENT_NOT_FOUND = 5,
  COTANGENT_RESOURCE_EXHAUSTED = 8
};

/* Loads a network. `threads` is the number of threads that compute; 0 means one per core. `batch_size` is the most
   pictures computed at once. On failure, returns NULL and writes a message to `error`, unless that is NULL: UTF-8,
   zero-terminated, cut to `error_bytes` bytes with its zero. On success, writes an empty text there. */
cotangent_classifier* cotangent_load(const char* path, int threads, int64_t batch_size, char* error,
                                     size_t error_bytes);
/* Frees a classifier; does nothing for NULL. No other call with it may be under way. */
void cotangent_free(cotangent_classifier* classifier);

/* What cotangent_answers() returns: the kind of results that the network computes for a picture. Classes: the picture
   is of one of them; their probabilities sum to 1. Labels: any number of them are true of the picture; each has a
   probability. Numbers: in their own units. */
enum { COTANGENT_CLASSES = 0, COTANGENT_LABELS = 1, COTANGENT_NUMBERS = 2 };
int cotangent_answers(const cotangent_classifier* classifier);

/* cotangent_classes() returns how many classes (or labels, or numbers) there are. cotangent_class_name() returns the
   name of one, counted from 0, which lives as long as the classifier; NULL if there is no class of this number. */
int64_t cotangent_classes(const cotangent_classifier* classifier);
const char* cotangent_class_name(const cotangent_classifier* classifier, int64_t number);

/* Writes to `probabilities` one probability per class or label, or the numbers, for a picture: `height` rows of `width`
   pixels, a byte each of red, green, blue. Any number of threads may call at the same time. Returns COTANGENT_OK, or
   the code of the error, whose message it writes to `error` as cotangent_load() does. */
int cotangent_classify(cotangent_classifier* classifier, const uint8_t* rgb, int width, int height,
                       float* probabilities, char* error, size_t error_bytes);

#ifdef __cplusplus
}
#endif

#endif /* COTANGENT_INFERENCE_CLASSIFIER_C_H_ */
