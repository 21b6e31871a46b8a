// What a classifier's answers on images of known classes say of it: how often it is right and how
// sure that number is, what it takes for what, and whether its probabilities can be believed.
#ifndef COTANGENT_TRAINING_REPORT_ASSESSMENT_H_
#define COTANGENT_TRAINING_REPORT_ASSESSMENT_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"

namespace cotangent::training::report {

// A proportion and the ends of its 95% confidence interval.
struct Proportion {
  double value = 0, low = 0, high = 0;
};

// `successes` of `trials`, by Wilson's score interval (Wilson, "Probable inference, the law of
// succession, and statistical inference", 1927), which keeps to [0, 1] and holds for few trials,
// too. Zeros for no trial.
Proportion WilsonInterval(int64_t successes, int64_t trials);

struct ClassMeasures {
  int64_t support = 0;   // images of this class
  int64_t answered = 0;  // images that were taken for this class
  int64_t right = 0;     // both
  double precision = 0;  // right / answered; 0 where nothing was answered
  double recall = 0;     // right / support; 0 where there are no images
  double f1 = 0;         // their harmonic mean; 0 where both are
};

// Images whose answer's probability lies in (low, high].
struct ReliabilityBin {
  double low = 0, high = 0;
  int64_t count = 0;
  double confidence = 0;  // mean probability of the answers
  double accuracy = 0;    // share of them that is right
};

// An image and what was said of it.
struct Judgement {
  int64_t image = 0;
  int32_t label = 0, answer = 0;
  double probability = 0;  // of the answer
  double of_label = 0;     // probability of the true class
};

struct Assessment {
  int64_t images = 0, classes = 0;
  Proportion accuracy;
  // Share of images whose class is among the k most probable, at [k - 1]; up to 5 classes.
  std::vector<double> top;
  double mean_recall = 0;          // over the classes that have images ("balanced accuracy")
  double log_loss = 0;             // mean of -ln p(label)
  std::vector<int64_t> confusion;  // [label, answer], row-major
  std::vector<ClassMeasures> of_class;
  std::vector<ReliabilityBin> reliability;
  // Expected calibration error: the mean distance of confidence and accuracy over the bins,
  // weighted by their counts (Guo et al., "On calibration of modern neural networks", 2017).
  double calibration_error = 0;
  // Scores divided by this have the least log loss (temperature scaling, the same paper), and what
  // calibration error and log loss are then.
  double temperature = 1;
  double calibration_error_at_temperature = 0;
  double log_loss_at_temperature = 0;
  std::vector<Judgement> judgements;  // one an image, in order

  // The `count` wrong answers of the highest probability, and the answers, right or wrong, whose
  // probability is lowest. The surest, or the least sure, first; equal ones in order.
  std::vector<Judgement> SurestMistakes(int64_t count) const;
  std::vector<Judgement> LeastSure(int64_t count) const;
};

inline constexpr int kReliabilityBins = 15;  // as in Guo et al.

// `scores` [images, classes] are logits (probabilities are their softmax) or, with
// `are_probabilities`, probabilities already. `labels` [images] are from 0 to classes - 1. Where
// two classes are equally probable the first is the answer.
Assessment Assess(absl::Span<const float> scores, absl::Span<const int32_t> labels, int64_t classes,
                  bool are_probabilities);

// Probabilities of one image's scores; a softmax of `scores` / temperature, computed without
// overflow.
std::vector<double> Probabilities(absl::Span<const float> scores, bool are_probabilities,
                                  double temperature = 1);

}  // namespace cotangent::training::report

#endif  // COTANGENT_TRAINING_REPORT_ASSESSMENT_H_
