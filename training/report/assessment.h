// Measures how good a classifier's answers are on images whose classes are known: its accuracy and
// how certain that figure is, which classes it confuses, and whether its probabilities can be
// trusted.
#ifndef COTANGENT_TRAINING_REPORT_ASSESSMENT_H_
#define COTANGENT_TRAINING_REPORT_ASSESSMENT_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"

namespace cotangent::training::report {

// A proportion and the limits of its 95% confidence interval.
struct Proportion {
  double value = 0, low = 0, high = 0;
};

// Returns successes / trials with Wilson's score interval (Wilson, "Probable inference, the law of
// succession, and statistical inference", 1927), which stays within [0, 1] and is also valid for
// few trials. Returns zeros if there are no trials.
Proportion WilsonInterval(int64_t successes, int64_t trials);

struct ClassMeasures {
  int64_t support = 0;   // images that belong to this class
  int64_t answered = 0;  // images for which the classifier answered this class
  int64_t right = 0;     // images counted in both support and answered
  double precision = 0;  // right / answered; 0 if answered is 0
  double recall = 0;     // right / support; 0 if support is 0
  double f1 = 0;         // harmonic mean of precision and recall; 0 if both are 0
};

// The images for which the probability of the answer lies in (low, high].
struct ReliabilityBin {
  double low = 0, high = 0;
  int64_t count = 0;
  double confidence = 0;  // mean probability of the answers of these images
  double accuracy = 0;    // the share of these images whose answer is right
};

// One image and the classifier's answer for it, the class with the highest probability.
struct Judgement {
  int64_t image = 0;
  int32_t label = 0, answer = 0;
  double probability = 0;  // probability of the answer
  double of_label = 0;     // probability of the image's true class
};

struct Assessment {
  int64_t images = 0, classes = 0;
  Proportion accuracy;
  // top[k - 1] is the share of images whose class is among the k most probable, for k from 1 to 5
  // or to the number of classes if that is less.
  std::vector<double> top;
  double mean_recall = 0;          // mean over the classes that have images ("balanced accuracy")
  double log_loss = 0;             // mean over the images of -ln(probability of the true class)
  std::vector<int64_t> confusion;  // number of images by [true class, answer], row-major
  std::vector<ClassMeasures> of_class;
  std::vector<ReliabilityBin> reliability;
  // Expected calibration error: the mean over the bins of |confidence - accuracy|, weighted by the
  // bins' counts (Guo et al., "On calibration of modern neural networks", 2017).
  double calibration_error = 0;
  // Temperature scaling (the same paper): dividing all scores (logits, or logarithms of
  // probabilities) by this number, from 0.01 to 100, makes the log loss smallest. The two members
  // below are the calibration error and log loss of the scores divided by it.
  double temperature = 1;
  double calibration_error_at_temperature = 0;
  double log_loss_at_temperature = 0;
  std::vector<Judgement> judgements;  // one for each image, in the order of the images

  // SurestMistakes() returns the `count` wrong answers with the highest probability, the highest
  // first. LeastSure() returns the `count` answers, right or wrong, with the lowest probability,
  // the lowest first. Answers with equal probabilities keep the order of their images.
  std::vector<Judgement> SurestMistakes(int64_t count) const;
  std::vector<Judgement> LeastSure(int64_t count) const;
};

inline constexpr int kReliabilityBins = 15;  // as in Guo et al., see above

// Assesses answers. `scores` [images, classes] are logits or, with `are_probabilities`,
// probabilities. `labels` [images] are the true classes, 0 to classes - 1. If several classes are
// equally probable, the first of them is the answer.
Assessment Assess(absl::Span<const float> scores, absl::Span<const int32_t> labels, int64_t classes,
                  bool are_probabilities);

// Returns the softmax of one image's `scores` / temperature, computed without overflow. If
// `are_probabilities`, the logarithms of `scores` take the place of `scores`; at temperature 1
// `scores` are then returned as they are.
std::vector<double> Probabilities(absl::Span<const float> scores, bool are_probabilities,
                                  double temperature = 1);

}  // namespace cotangent::training::report

#endif  // COTANGENT_TRAINING_REPORT_ASSESSMENT_H_
