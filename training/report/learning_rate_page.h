// A sweep over learning rates, for people.
#ifndef COTANGENT_TRAINING_REPORT_LEARNING_RATE_PAGE_H_
#define COTANGENT_TRAINING_REPORT_LEARNING_RATE_PAGE_H_

#include <string>

#include "training/learning_rate.h"

namespace cotangent::training::report {

// A line for each of about two dozen rates: the rate, the smoothed loss and a bar; then the proposal
// and how to take it.
std::string ToText(const LearningRateSweep& sweep);

// The same as a page; `network` is its name.
std::string ToHtml(const LearningRateSweep& sweep, const std::string& network);

}  // namespace cotangent::training::report

#endif  // COTANGENT_TRAINING_REPORT_LEARNING_RATE_PAGE_H_
