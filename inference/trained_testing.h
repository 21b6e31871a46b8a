// Makes networks with made-up statistics as if they had been trained, for tests.
#ifndef COTANGENT_INFERENCE_TRAINED_TESTING_H_
#define COTANGENT_INFERENCE_TRAINED_TESTING_H_

#include <string>
#include <vector>

#include "training/trained_network.h"

namespace cotangent::inference {

// Makes the network of `text` with its initial weights. The running statistics of batch
// normalisation get numbers that differ from channel to channel: means from -0.2 to 0.2 and
// variances from 0.5 to 1.5. REQUIRES: `text` is valid.
training::TrainedNetwork MakeTrained(const std::string& text,
                                     const std::vector<std::string>& classes);
// Does what MakeTrained() does for a network of the zoo (the networks that are part of the
// program).
training::TrainedNetwork MakeTrainedFromZoo(const std::string& name, int64_t classes);

}  // namespace cotangent::inference

#endif  // COTANGENT_INFERENCE_TRAINED_TESTING_H_
