// Networks as if they were trained, for tests.
#ifndef COTANGENT_INFERENCE_TRAINED_TESTING_H_
#define COTANGENT_INFERENCE_TRAINED_TESTING_H_

#include <string>
#include <vector>

#include "training/trained_network.h"

namespace cotangent::inference {

// A network text with its initial weights, and statistics as after training on something: means
// near 0, variances near 1, other for each channel. REQUIRES: the text is sound.
training::TrainedNetwork MakeTrained(const std::string& text,
                                     const std::vector<std::string>& classes);
// The same of a network of the zoo.
training::TrainedNetwork MakeTrainedFromZoo(const std::string& name, int64_t classes);

}  // namespace cotangent::inference

#endif  // COTANGENT_INFERENCE_TRAINED_TESTING_H_
