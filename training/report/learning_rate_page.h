// Shows the result of a sweep over learning rates (learning_rate.h) as text or as an HTML page.
#ifndef COTANGENT_TRAINING_REPORT_LEARNING_RATE_PAGE_H_
#define COTANGENT_TRAINING_REPORT_LEARNING_RATE_PAGE_H_

#include <string>

#include "training/learning_rate.h"

namespace cotangent::training::report {

// Returns a header line; at most 24 lines, each with a learning rate, the loss averaged over neighbouring steps and a bar
// for the loss; then a line with the proposed rate and the command-line flag that sets it.
std::string ToText(const LearningRateSweep& sweep);

// Returns a plot of the loss and the proposal as an HTML page. `network` is the network's name.
std::string ToHtml(const LearningRateSweep& sweep, const std::string& network);

}  // namespace cotangent::training::report

#endif  // COTANGENT_TRAINING_REPORT_LEARNING_RATE_PAGE_H_
