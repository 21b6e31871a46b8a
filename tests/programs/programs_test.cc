// Tests the programs as a user starts them, on the built-in data set "sample": what they print,
// which files they leave, and how runs are resumed.

#include <stdio.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <regex>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/faults/training_run.h"
#include "tests/process/process.h"

namespace cotangent::tests {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

// A small network whose checkpoint has to hold every kind of state: momentum, running statistics,
// the random numbers of dropout and augmentation, moving averages of the weights.
constexpr char kNetwork[] = R"(
name: "small"
layer { name: "conv1" convolution { channels: 8 kernel: 3 padding: SAME } }
layer { name: "bn1" batch_norm {} }
layer { activation { kind: RELU } }
layer { max_pool { kernel: 4 } }
layer { dropout { rate: 0.2 } }
layer { name: "fc" linear {} }
train {
  batch_size: 50
  epochs: 3
  augmentation { flip: RANDOM crop: 2 }
  optimizer { sgd { learning_rate: 0.05 momentum: 0.9 } ema { decay: 0.9 } schedule { cosine {} } }
}
)";
constexpr int kSteps = 24;  // 400 images, 3 epochs

std::string Prepare(const std::string& name) {
  const std::string directory = MakeTestDirectory(name);
  WriteFile(directory + "/small.textproto", kNetwork);
  return directory;
}

// Runs a program. All runs use one cache of the measured times of convolutions, so that they choose
// the same implementations of convolutions.
Outcome RunTool(const std::string& program, const std::vector<std::string>& arguments,
                const std::string& directory) {
  static const std::string* const cache = new std::string(MakeTestDirectory("cache"));
  return RunProgram(
      Runfile("tools/" + program), arguments,
      {.directory = directory, .environment = {"XDG_CACHE_HOME=" + *cache}, .before_exec = {}},
      kPatience);
}

std::vector<std::string> TrainArguments(const std::string& output,
                                        std::vector<std::string> more = {}) {
  std::vector<std::string> arguments = {"--network=./small.textproto", "--dataset=sample",
                                        "--threads=1", "--output_dir=" + output};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

std::string Checkpoint(const std::string& directory, int step) {
  char name[64];
  snprintf(name, sizeof(name), "/checkpoint-%08d.safetensors", step);
  return directory + name;
}

std::string LastLine(const std::string& text) {
  const size_t end = text.find_last_not_of('\n');
  if (end == std::string::npos) return "";
  const size_t begin = text.find_last_of('\n', end);
  return text.substr(begin == std::string::npos ? 0 : begin + 1,
                     end - (begin == std::string::npos ? -1 : begin));
}

// Returns the tensors at the end of a run that was not interrupted.
const std::map<std::string, std::string>& Undisturbed() {
  static const std::map<std::string, std::string> tensors = [] {
    const std::string directory = Prepare("undisturbed");
    const Outcome run = RunTool("train", TrainArguments("run"), directory);
    EXPECT_EQ(run.exit_code, 0) << run.errors;
    return TensorsOf(Checkpoint(directory + "/run", kSteps));
  }();
  return tensors;
}

TEST(Training, LeavesWhatTheContractSays) {
  const std::string directory = Prepare("contract");
  const Outcome run = RunTool("train", TrainArguments("run", {"--log_every=5"}), directory);
  ASSERT_EQ(run.exit_code, 0) << run.errors;
  EXPECT_TRUE(std::regex_match(
      LastLine(run.output),
      std::regex(
          R"(test accuracy: 0\.\d{4} \(tta 0\.\d{4}\) after 3 epochs, \d+\.\d s of training)")))
      << run.output;
  EXPECT_TRUE(std::filesystem::exists(directory + "/run/network.textproto"));
  EXPECT_FALSE(std::filesystem::exists(directory + "/run/lock"));
  const std::map<std::string, std::string> tensors =
      TensorsOf(Checkpoint(directory + "/run", kSteps));
  for (const char* name :
       {"conv1.weight", "conv1.bias", "bn1.weight", "bn1.running_mean", "bn1.running_var",
        "fc.weight", "optimizer/fc.weight/momentum", "ema/fc.weight"}) {
    EXPECT_TRUE(tensors.count(name)) << name;
  }
  std::ifstream metrics(directory + "/run/metrics.jsonl");
  int evaluations = 0;
  json last;
  for (std::string line; std::getline(metrics, line); last = json::parse(line)) {
    const json object = json::parse(line);
    for (const char* key : {"step", "epoch", "train_seconds", "train_loss"})
      EXPECT_TRUE(object.contains(key)) << line;
    if (object.contains("test_accuracy")) ++evaluations;
    if (!object.contains("test_accuracy")) {
      EXPECT_TRUE(object.contains("learning_rate") && object.contains("images_per_second")) << line;
    }
  }
  EXPECT_EQ(evaluations, 3);
  EXPECT_EQ(last["step"], kSteps);
  EXPECT_TRUE(last.contains("tta_accuracy"));
}

TEST(Training, OneSeedGivesOneResultAndAnotherAnother) {
  const std::string directory = Prepare("seeds");
  ASSERT_EQ(RunTool("train", TrainArguments("same"), directory).exit_code, 0);
  EXPECT_EQ(TensorsOf(Checkpoint(directory + "/same", kSteps)), Undisturbed());
  ASSERT_EQ(RunTool("train", TrainArguments("other", {"--seed=2"}), directory).exit_code, 0);
  EXPECT_NE(TensorsOf(Checkpoint(directory + "/other", kSteps)), Undisturbed());
}

TEST(Training, StoppedAndResumedItEndsWithTheSameBits) {
  const std::string directory = Prepare("resumed");
  ASSERT_EQ(RunTool("train", TrainArguments("run", {"--max_steps=3"}), directory).exit_code, 0);
  // The run above stopped in the middle of an epoch of 8 steps. These runs stop at the end of that
  // epoch, in the middle of the last epoch, and at the end of training.
  for (const char* steps : {"--max_steps=8", "--max_steps=19", "--max_steps=24"}) {
    const Outcome run =
        RunTool("train", {"--resume", "--output_dir=run", "--threads=1", steps}, directory);
    ASSERT_EQ(run.exit_code, 0) << run.errors;
    EXPECT_THAT(run.errors, HasSubstr("going on from"));
    EXPECT_THAT(run.errors, ::testing::Not(HasSubstr("note:")));
  }
  EXPECT_EQ(TensorsOf(Checkpoint(directory + "/run", kSteps)), Undisturbed());
}

// Progress is counted in images, not in steps: after two of five epochs with batches of 96 (four
// batches an epoch), three epochs remain, whatever the new batch size is. The test uses momentum
// and Adam, because Adam counts its updates.
TEST(Training, ResumedWithAnotherBatchItEndsAfterAsManyEpochs) {
  const std::string directory = Prepare("batches");
  struct Case {
    std::string batch;
    int steps;  // total number of steps at the end
  };
  for (const Case& c : {Case{"400", 8 + 3}, Case{"40", 8 + 30}, Case{"96", 8 + 12}}) {
    SCOPED_TRACE(c.batch);
    for (const std::string& rule : {std::string("sgd={learning_rate: 0.05 momentum: 0.9}"),
                                    std::string("adam={learning_rate: 0.001}")}) {
      const std::string first_steps = "--max_steps=8", epochs = "--epochs=5";
      const Outcome first =
          RunTool("train",
                  TrainArguments("run", {epochs, "--batch_size=96", first_steps,
                                         "--set=train.optimizer={" +
                                             std::string(rule).replace(rule.find('='), 1, " ") +
                                             " schedule { cosine {} } }"}),
                  directory);
      ASSERT_EQ(first.exit_code, 0) << first.errors;
      EXPECT_THAT(first.output, HasSubstr("after 2 epochs"));
      const Outcome rest = RunTool(
          "train", {"--resume", "--output_dir=run", "--threads=1", "--batch_size=" + c.batch},
          directory);
      ASSERT_EQ(rest.exit_code, 0) << rest.errors;
      EXPECT_THAT(rest.output, HasSubstr("after 5 epochs"));
      EXPECT_TRUE(std::filesystem::exists(Checkpoint(directory + "/run", c.steps)));
      std::ifstream metrics(directory + "/run/metrics.jsonl");
      double epoch = 0;
      for (std::string line; std::getline(metrics, line);) {
        EXPECT_GE(json::parse(line)["epoch"].get<double>(), epoch) << line;
        epoch = json::parse(line)["epoch"].get<double>();
      }
      EXPECT_EQ(epoch, 5);
      // A second resumption continues where the first one ended.
      const Outcome more =
          RunTool("train",
                  {"--resume", "--output_dir=run", "--threads=1", "--batch_size=100", "--epochs=6"},
                  directory);
      EXPECT_THAT(more.output, HasSubstr("after 6 epochs"));
      EXPECT_TRUE(std::filesystem::exists(Checkpoint(directory + "/run", c.steps + 4)));
      EXPECT_EQ(more.errors.find("no step is made"), std::string::npos) << more.errors;
      // A resumption with fewer epochs than the run has made says that nothing is left to do.
      const Outcome none = RunTool(
          "train", {"--resume", "--output_dir=run", "--threads=1", "--epochs=4"}, directory);
      EXPECT_THAT(none.errors, HasSubstr("note: the run has ended already, after 6 epochs: no step "
                                         "is made; for more, give more --epochs\n"));
      EXPECT_THAT(none.errors, HasSubstr("\nepoch 6/6  loss "));
    }
  }
}

TEST(Training, MoreEpochsThanBeforeTellThatTheLearningRateGoesUp) {
  const std::string directory = Prepare("longer");
  ASSERT_EQ(RunTool("train", TrainArguments("run"), directory).exit_code, 0);
  const std::vector<std::string> resume = {"--resume", "--output_dir=run", "--threads=1",
                                           "--epochs=6"};
  std::vector<std::string> once = resume;
  once.push_back("--max_steps=25");
  const Outcome longer = RunTool("train", once, directory);
  ASSERT_EQ(longer.exit_code, 0) << longer.errors;
  std::smatch mend;
  ASSERT_TRUE(std::regex_search(
      longer.errors, mend,
      std::regex("note: with 6 epochs, 3 before, the schedule is longer: the learning rate goes up "
                 "from (\\S+) to (\\S+); to keep it: --set (\\S+) --set (\\S+)\n")))
      << longer.errors;
  // The settings that the message proposes keep the learning rate.
  std::filesystem::remove(Checkpoint(directory + "/run", 25));
  std::vector<std::string> kept = resume;
  kept.push_back("--log_every=1");
  for (int i : {3, 4}) kept.push_back("--set=" + mend[i].str());
  const Outcome keeps = RunTool("train", kept, directory);
  ASSERT_EQ(keeps.exit_code, 0) << keeps.errors;
  EXPECT_EQ(keeps.errors.find("the learning rate goes up"), std::string::npos) << keeps.errors;
  std::ifstream metrics(directory + "/run/metrics.jsonl");
  json last;
  for (std::string line; std::getline(metrics, line);) {
    if (json::parse(line).contains("learning_rate")) last = json::parse(line);
  }
  ASSERT_FALSE(last.is_null());
  EXPECT_NEAR(last["learning_rate"].get<double>(), std::stod(mend[1].str()), 1e-5);
}

TEST(Training, AnEarlierRunIsSetAside) {
  const std::string directory = Prepare("again");
  ASSERT_EQ(RunTool("train", TrainArguments("run", {"--max_steps=1"}), directory).exit_code, 0);
  const Outcome run = RunTool("train", TrainArguments("run", {"--max_steps=2"}), directory);
  ASSERT_EQ(run.exit_code, 0);
  EXPECT_THAT(run.errors, HasSubstr("run/earlier-1"));
  EXPECT_TRUE(std::filesystem::exists(Checkpoint(directory + "/run/earlier-1", 1)));
}

TEST(Training, AnEarlierRunStaysIfTheNextOneCannotBegin) {
  const std::string directory = Prepare("not_begun");
  ASSERT_EQ(RunTool("train", TrainArguments("run", {"--max_steps=1"}), directory).exit_code, 0);
  // One of these pictures is empty, which shows only when they are read.
  for (const char* name : {"a/1.ppm", "a/2.ppm", "b/1.ppm", "b/2.ppm", "b/3.ppm"}) {
    const std::string path = directory + "/pictures/" + name;
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    std::ofstream(path) << "P6 32 32 255\n" << std::string(size_t{3} * 32 * 32, 'x');
  }
  std::ofstream(directory + "/pictures/b/3.ppm").close();
  const std::vector<std::string> more = {"--dataset=pictures", "--batch_size=4"};
  const Outcome run = RunTool("train", TrainArguments("run", more), directory);
  EXPECT_EQ(run.exit_code, 2) << run.errors;
  EXPECT_TRUE(std::filesystem::exists(Checkpoint(directory + "/run", 1)));
}

// A kill between a checkpoint and the evaluation after it, as the files show it: the line about the
// evaluation is missing.
TEST(Training, AResumedRunMakesUpForAnEvaluationThatWasNotLogged) {
  const std::string directory = Prepare("not_evaluated"), path = directory + "/run/metrics.jsonl";
  constexpr int kEpochSteps = kSteps / 3;
  const std::vector<std::string> arguments =
      TrainArguments("run", {"--checkpoint_every=" + std::to_string(kEpochSteps), "--keep=9"});
  ASSERT_EQ(RunTool("train", arguments, directory).exit_code, 0);
  for (int step : {2 * kEpochSteps, 3 * kEpochSteps})
    ASSERT_TRUE(std::filesystem::remove(Checkpoint(directory + "/run", step)));
  const auto evaluations = [&] {
    std::map<int, int> lines;  // by step
    std::ifstream metrics(path);
    for (std::string line; std::getline(metrics, line);) {
      if (json::parse(line).contains("test_accuracy"))
        ++lines[json::parse(line)["step"].get<int>()];
    }
    return lines;
  };
  const std::map<int, int> before = evaluations();
  ASSERT_EQ(before.count(kEpochSteps), 1);
  std::string kept;
  std::ifstream metrics(path);
  for (std::string line; std::getline(metrics, line);) {
    const json object = json::parse(line);
    if (object["step"] < kEpochSteps ||
        (object["step"] == kEpochSteps && !object.contains("test_accuracy")))
      kept += line + "\n";
  }
  std::ofstream(path) << kept;
  const std::vector<std::string> resume = {"--resume", "--output_dir=run", "--threads=1"};
  const Outcome run = RunTool("train", resume, directory);
  ASSERT_EQ(run.exit_code, 0) << run.errors;
  EXPECT_EQ(evaluations(), before);
}

TEST(Training, ValidationChoosesTheBestAndPatienceEndsTheRun) {
  const std::string directory = Prepare("validation");
  const std::vector<std::string> more = {"--validation=0.2", "--epochs=40",
                                         "--set=train.stop.patience=2"};
  const Outcome run = RunTool("train", TrainArguments("run", more), directory);
  ASSERT_EQ(run.exit_code, 0) << run.errors;
  EXPECT_THAT(run.errors, HasSubstr("in 2 evaluations: the run ends here"));
  EXPECT_THAT(LastLine(run.output), HasSubstr("test accuracy"));
  std::ifstream metrics(directory + "/run/metrics.jsonl");
  int validations = 0, tests = 0, last_step = 0, best_step = 0;
  double best = 1e30;
  for (std::string line; std::getline(metrics, line);) {
    const json object = json::parse(line);
    tests += object.contains("test_accuracy") ? 1 : 0;
    last_step = object["step"];
    if (!object.contains("validation_loss")) continue;
    ++validations;
    if (object["validation_loss"] < best) best = object["validation_loss"], best_step = last_step;
  }
  EXPECT_EQ(tests, 1);
  EXPECT_GE(validations, 3);
  EXPECT_EQ(last_step - best_step, 2 * 6);  // two epochs of 6 steps each
  char told[64];
  snprintf(told, sizeof(told), "after step %d, at %.4f", best_step, best);
  EXPECT_THAT(run.errors, HasSubstr(told));

  // A run that is stopped after the best step and then resumed ends at the same step, with the same
  // best checkpoint.
  std::vector<std::string> cut = more;
  cut.push_back("--max_steps=" + std::to_string(best_step + 3));
  RunTool("train", TrainArguments("cut", cut), directory);
  std::vector<std::string> on = more;
  on.push_back("--resume");
  const Outcome resumed = RunTool("train", TrainArguments("cut", on), directory);
  ASSERT_EQ(resumed.exit_code, 0) << resumed.errors;
  for (const std::string& name : {std::string("/best.safetensors"), Checkpoint("", last_step)})
    EXPECT_TRUE(TensorsOf(directory + "/cut" + name) == TensorsOf(directory + "/run" + name))
        << name;

  const Outcome without =
      RunTool("train", TrainArguments("without", {"--set=train.stop.patience=2", "--max_steps=1"}),
              directory);
  EXPECT_THAT(without.errors, HasSubstr("note: train.stop.patience counts evaluations on "
                                        "validation images, of which there are none"));
}

// Accuracies and losses are different measures: after the switch, the smallest loss is the best,
// though the negative accuracies before are smaller still.
TEST(Training, ResumedWithAnotherMeasureItForgetsTheBest) {
  const std::string directory = Prepare("measure");
  const auto arguments = [](const std::string& best, const std::string& epochs) {
    return TrainArguments("run", {"--validation=0.2", "--resume", "--epochs=" + epochs,
                                  "--set=train.evaluation.best=" + best});
  };
  RunTool("train", arguments("ACCURACY", "2"), directory);
  const Outcome resumed = RunTool("train", arguments("LOSS", "4"), directory);
  ASSERT_EQ(resumed.exit_code, 0) << resumed.errors;
  EXPECT_THAT(resumed.errors, HasSubstr("note: evaluations so far were by another loss"));
  std::ifstream metrics(directory + "/run/metrics.jsonl");
  double best = 1e30;
  for (std::string line; std::getline(metrics, line);) {
    const json object = json::parse(line);
    if (object["step"] >= 2 * 6 && object.contains("validation_loss"))  // epochs of 6 steps
      best = std::min<double>(best, object["validation_loss"]);
  }
  char told[64];
  snprintf(told, sizeof(told), ", at %.4f: run/best.safetensors", best);
  EXPECT_THAT(resumed.errors, HasSubstr(told));
}

TEST(Training, TellsOfTestImagesThatAreTrainingImages) {
  const std::string directory = Prepare("copies");
  std::ofstream list(directory + "/list.csv");
  for (const char* const name : {"1.ppm", "2.ppm", "3.ppm"})
    std::ofstream(directory + "/" + name) << "P6 1 1 255 " << name[0] << "bc";
  list << "1.ppm,a\n2.ppm,b\n3.ppm,a,test\n2.ppm,b,test\n";
  list.close();
  const Outcome run = RunTool(
      "train",
      {"--network=softmax_classifier", "--dataset=list.csv", "--epochs=1", "--batch_size=1"},
      directory);
  ASSERT_EQ(run.exit_code, 0) << run.errors;
  EXPECT_THAT(run.errors, HasSubstr("note: 1 of 2 test images are training images, too"));
  EXPECT_THAT(run.errors, HasSubstr("(the first: 2.ppm is 2.ppm)"));
}

TEST(Training, KeepsAPageAndEventFiles) {
  const std::string directory = Prepare("record");
  const Outcome run =
      RunTool("train", TrainArguments("run", {"--report", "--tensorboard"}), directory);
  ASSERT_EQ(run.exit_code, 0) << run.errors;
  const std::string page = ReadFileOrEmpty(directory + "/run/report.html");
  EXPECT_THAT(page, HasSubstr("</html>"));
  EXPECT_THAT(page, HasSubstr("test accuracy: 0."));
  EXPECT_THAT(page, HasSubstr("conv1.weight"));
  int event_files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(directory + "/run"))
    event_files += entry.path().filename().string().find("events.out.tfevents.") == 0 ? 1 : 0;
  EXPECT_EQ(event_files, 1);
}

TEST(Training, ShowsABatchAndFindsALearningRate) {
  const std::string directory = Prepare("looks");
  const Outcome batch =
      RunTool("train", TrainArguments("run", {"--show_batch=batch.png"}), directory);
  ASSERT_EQ(batch.exit_code, 0) << batch.errors;
  EXPECT_THAT(ReadFileOrEmpty(directory + "/batch.png"), HasSubstr("PNG"));
  EXPECT_EQ(std::count(batch.output.begin(), batch.output.end(), '\n'),
            7);  // 50 images in rows of 8
  const Outcome rate = RunTool("train", TrainArguments("run", {"--find_learning_rate"}), directory);
  ASSERT_EQ(rate.exit_code, 0) << rate.errors;
  EXPECT_THAT(rate.output, HasSubstr("--set train.optimizer.sgd.learning_rate="));
  EXPECT_FALSE(std::filesystem::exists(directory + "/run"));
}

TEST(Programs, EvaluateAndPredictReadTheCheckpoint) {
  const std::string directory = Prepare("evaluate");
  const Outcome train = RunTool("train", TrainArguments("run"), directory);
  ASSERT_EQ(train.exit_code, 0) << train.errors;
  const Outcome evaluate = RunTool(
      "evaluate", {"--checkpoint=" + Checkpoint("run", kSteps), "--tta", "--threads=1"}, directory);
  ASSERT_EQ(evaluate.exit_code, 0) << evaluate.errors;
  EXPECT_EQ(evaluate.output.substr(0, 34), LastLine(train.output).substr(0, 34));

  const Outcome told = RunTool("evaluate",
                               {"--checkpoint=run", "--threads=1", "--format=json",
                                "--report=page.html", "--predictions=out.csv"},
                               directory);
  ASSERT_EQ(told.exit_code, 0) << told.errors;
  const json object = json::parse(told.output);
  EXPECT_EQ(object["images"], 200);
  EXPECT_EQ(object["of_class"][3]["name"], "cat");
  char accuracy[32];
  snprintf(accuracy, sizeof(accuracy), "accuracy: %.4f", object["accuracy"].get<double>());
  EXPECT_THAT(evaluate.output, HasSubstr(accuracy));
  EXPECT_THAT(ReadFileOrEmpty(directory + "/page.html"), HasSubstr("</html>"));
  const std::string csv = ReadFileOrEmpty(directory + "/out.csv");
  EXPECT_EQ(std::count(csv.begin(), csv.end(), '\n'), 201);

  // The bytes of a PNG file with one black pixel.
  const unsigned char png[] = {0x89, 'P', 'N', 'G', 13,  10,   26,   10,   0,    0,    0,    13,
                               'I',  'H', 'D', 'R', 0,   0,    0,    1,    0,    0,    0,    1,
                               8,    2,   0,   0,   0,   0x90, 0x77, 0x53, 0xde, 0,    0,    0,
                               12,   'I', 'D', 'A', 'T', 0x78, 0x9c, 0x63, 0x60, 0x60, 0x60, 0,
                               0,    0,   4,   0,   1,   0xf6, 0x17, 0x38, 0x55, 0,    0,    0,
                               0,    'I', 'E', 'N', 'D', 0xae, 0x42, 0x60, 0x82};
  std::ofstream(directory + "/black.png", std::ios::binary)
      .write(reinterpret_cast<const char*>(png), sizeof(png));
  const Outcome predict =
      RunTool("predict", {"--checkpoint=run", "--top=3", "black.png"}, directory);
  ASSERT_EQ(predict.exit_code, 0) << predict.errors;
  EXPECT_TRUE(std::regex_search(
      predict.output, std::regex(R"(^black\.png: \w+ [01]\.\d{4}  \w+ 0\.\d{4}  \w+ 0\.\d{4}\n$)")))
      << predict.output;
  // A folder stands for all files below it. A file that cannot be read is named, and the others are
  // answered.
  std::filesystem::create_directories(directory + "/many/deep");
  std::filesystem::copy(directory + "/black.png", directory + "/many/10.png");
  std::filesystem::copy(directory + "/black.png", directory + "/many/2.png");
  std::ofstream(directory + "/many/deep/none.png") << "no picture";
  const Outcome json =
      RunTool("predict", {"--checkpoint=run", "--top=3", "--format=json", "many"}, directory);
  EXPECT_EQ(json.exit_code, 2);
  EXPECT_THAT(json.errors, HasSubstr("none.png"));
  const nlohmann::json pictures = nlohmann::json::parse(json.output).at("pictures");
  ASSERT_EQ(pictures.size(), 3u);
  EXPECT_EQ(pictures[0].at("file"), "many/2.png");
  EXPECT_EQ(pictures[0].at("classes").size(), 3u);
  EXPECT_EQ(pictures[1].at("file"), "many/10.png");
  EXPECT_THAT(std::string(pictures[2].at("error")), HasSubstr("none.png"));
  // A network that is exported without the optimizer's state predicts the same.
  for (const std::string format : {"safetensors", "onnx"}) {
    const Outcome exported = RunTool(
        "export", {"--checkpoint=run", "--format=" + format, "--output=net." + format}, directory);
    ASSERT_EQ(exported.exit_code, 0) << exported.errors;
    EXPECT_EQ(exported.output, "net." + format + ": " + Checkpoint("run", kSteps) + "\n");
  }
  const Outcome again =
      RunTool("predict", {"--checkpoint=net.safetensors", "--top=3", "black.png"}, directory);
  EXPECT_EQ(again.output, predict.output) << again.errors;
  std::ifstream onnx(directory + "/net.onnx", std::ios::binary);
  const std::string model((std::istreambuf_iterator<char>(onnx)), std::istreambuf_iterator<char>());
  EXPECT_NE(model.find("accuracy"), std::string::npos);

  // In a run with validation images, the test accuracy in the last line of metrics.jsonl is that of
  // best.safetensors, and test_step the step of that checkpoint. An export of a checkpoint of this
  // step has this accuracy. A program that is given the run's directory takes the newest
  // checkpoint, says so and mentions best.safetensors.
  std::filesystem::copy(Checkpoint(directory + "/run", kSteps),
                        directory + "/run/best.safetensors");
  std::ofstream(directory + "/run/metrics.jsonl", std::ios::app)
      << R"({"step": 1, "test_step": )" << kSteps << R"(, "test_accuracy": 0.15625})"
      << "\n";
  const Outcome best =
      RunTool("export", {"--checkpoint=run/best.safetensors", "--output=best.onnx"}, directory);
  EXPECT_EQ(best.exit_code, 0) << best.errors;
  EXPECT_EQ(best.errors, "");
  EXPECT_THAT(ReadFileOrEmpty(directory + "/best.onnx"), HasSubstr("0.15625"));
  const Outcome newest = RunTool("predict", {"--checkpoint=run", "black.png"}, directory);
  EXPECT_THAT(newest.errors,
              HasSubstr("using the newest checkpoint, " + Checkpoint("run", kSteps)));
  EXPECT_THAT(newest.errors, HasSubstr("run/best.safetensors"));
}

TEST(Programs, PredictExplainsAnAnswer) {
  const std::string directory = Prepare("explain");
  const Outcome train = RunTool("train", TrainArguments("run", {"--max_steps=4"}), directory);
  ASSERT_EQ(train.exit_code, 0) << train.errors;
  WriteFile(directory + "/dot.ppm", "P6 1 1 255 xyz");
  const Outcome predict =
      RunTool("predict", {"--checkpoint=run", "dot.ppm", "--explain=why.png"}, directory);
  ASSERT_EQ(predict.exit_code, 0) << predict.errors;
  EXPECT_THAT(predict.output, HasSubstr("why.png: red speaks for "));
  EXPECT_THAT(ReadFileOrEmpty(directory + "/why.png"), HasSubstr("PNG"));
}

TEST(Programs, QuantiseWritesWhatAllOthersRead) {
  const std::string directory = Prepare("quantise");
  const Outcome train = RunTool("train", TrainArguments("run", {"--max_steps=16"}), directory);
  ASSERT_EQ(train.exit_code, 0) << train.errors;
  const Outcome quantise =
      RunTool("quantise", {"--checkpoint=run", "--output=net.int8.safetensors", "--most_loss=5"},
              directory);
  ASSERT_EQ(quantise.exit_code, 0) << quantise.errors;
  EXPECT_TRUE(std::regex_search(quantise.output, std::regex(R"(\nfc +\d.*int8\n)")))
      << quantise.output;
  // The program quantise decides by the accuracy on training images that calibration (finding the
  // scales of the integers) did not use. The accuracy on test images is printed, but decides
  // nothing.
  EXPECT_TRUE(std::regex_search(
      quantise.output, std::regex(R"(accuracy on \d+ images set apart from training images: )"
                                  R"(\d\.\d{4} before, \d\.\d{4} after\n)"
                                  R"(accuracy on 200 test images: .*\n)"
                                  R"(1 of 1 layers in int8: net\.int8\.safetensors\n)")))
      << quantise.output;
  const std::string checkpoint = "--checkpoint=net.int8.safetensors";
  WriteFile(directory + "/dot.ppm", "P6 1 1 255 xyz");
  for (const std::vector<std::string>& command : std::vector<std::vector<std::string>>{
           {"evaluate", checkpoint},
           {"predict", checkpoint, "dot.ppm"},
           {"export", checkpoint, "--format=onnx", "--output=int8.onnx"},
           {"export", checkpoint, "--format=safetensors", "--output=again.safetensors"},
           {"benchmark", checkpoint, "--inference", "--seconds=0", "--steps=2"}}) {
    const Outcome run = RunTool(command[0], {command.begin() + 1, command.end()}, directory);
    EXPECT_EQ(run.exit_code, 0) << command[0] << ": " << run.errors;
  }
  EXPECT_THAT(ReadFileOrEmpty(directory + "/int8.onnx"), HasSubstr("DequantizeLinear"));
  EXPECT_THAT(ReadFileOrEmpty(directory + "/again.safetensors"), HasSubstr("\"I8\""));
  const Outcome again = RunTool("quantise", {checkpoint}, directory);
  EXPECT_EQ(again.exit_code, 2);
  EXPECT_THAT(again.errors, HasSubstr("is quantised already"));
}

TEST(Programs, BenchmarkPrintsOneObject) {
  const std::string directory = Prepare("benchmark");
  for (const char* mode : {"--inference", "--noinference"}) {
    const Outcome run = RunTool("benchmark",
                                {"--network=./small.textproto", "--batch_size=8", "--threads=1",
                                 "--seconds=0", "--steps=2", "--json", mode},
                                directory);
    ASSERT_EQ(run.exit_code, 0) << run.errors;
    const json object = json::parse(run.output);
    for (const char* key : {"images_per_second", "milliseconds_per_step", "gflops", "peak_rss_mib",
                            "first_step_seconds"})
      EXPECT_GT(object[key].get<double>(), 0) << key;
    EXPECT_EQ(object["batch_size"], 8);
    EXPECT_EQ(object["precision"], "f32");
    EXPECT_EQ(object["threads"], 1);
  }
}

// Planning, which chooses and times implementations for each layer before the first step, takes
// seconds for thousands of layers in a row, for the training and for the evaluation at the run's
// end: equal convolutions are timed only once, and planning other layers takes time in proportion
// to their number.
TEST(Programs, ADeepNetworkIsPlannedInSeconds) {
  constexpr double kSeconds = 100;  // more than any of them takes with a sanitizer
  const std::string directory = Prepare("deep");
  for (const char* body :
       {"repeat: 1000 sequence {\n"
        "  layer { name: \"conv\" convolution { channels: 4 kernel: 3 pad: 1 bias: false } }\n"
        "  layer { name: \"norm\" batch_norm {} }\n"
        "  layer { name: \"act\" activation { kind: RELU } }\n"
        "}",
        "repeat: 2000 activation { kind: RELU }", "repeat: 2000 scale {}"}) {
    WriteFile(
        directory + "/deep.textproto",
        std::string("layer { name: \"stem\" convolution { channels: 4 kernel: 8 stride: 8 } }\n"
                    "layer { name: \"body\" ") +
            body + " }\nlayer { name: \"fc\" linear {} }\n");
    const std::vector<std::string> arguments = {"--network=./deep.textproto",
                                                "--dataset=sample",
                                                "--threads=1",
                                                "--batch_size=8",
                                                "--max_steps=1",
                                                "--on_nonfinite=skip"};
    const Outcome run =
        RunProgram(Runfile("tools/train"), arguments,
                   {.directory = directory, .environment = {}, .before_exec = {}}, kSeconds);
    EXPECT_FALSE(run.timed_out) << body;
    // The gradient of the first network is not finite, so its only step is skipped.
    EXPECT_TRUE(run.exit_code == 0 ||
                run.errors.find("none of the 1 steps changed anything") != std::string::npos)
        << run.errors;
  }
}

TEST(Programs, ExplainAndProfileTellWhatAStepDoes) {
  const std::string directory = Prepare("explain");
  const Outcome explain = RunTool(
      "train", {"--network=./small.textproto", "--dataset=sample", "--threads=1", "--explain"},
      directory);
  ASSERT_EQ(explain.exit_code, 0) << explain.errors;
  for (const char* word : {"conv1", "convolution forward", "convolution weight_gradient",
                           "optimizer", "total", "GFLOP/s"})
    EXPECT_THAT(explain.output, HasSubstr(word));
  const Outcome profile =
      RunTool("train", TrainArguments("run", {"--profile=trace.json"}), directory);
  ASSERT_EQ(profile.exit_code, 0) << profile.errors;
  const json trace = json::parse(ReadFileOrEmpty(directory + "/trace.json"));
  EXPECT_GT(trace["traceEvents"].size(), 20u);
  EXPECT_EQ(trace["traceEvents"][0]["ph"], "X");

  // Runs that end before all steps of a trace are made.
  RunTool("train", TrainArguments("four", {"--profile=four.json", "--max_steps=4"}), directory);
  EXPECT_GT(json::parse(ReadFileOrEmpty(directory + "/four.json"))["traceEvents"].size(), 10u);
  const Outcome one =
      RunTool("train", TrainArguments("one", {"--profile=one.json", "--max_steps=1"}), directory);
  EXPECT_EQ(one.exit_code, 0);
  EXPECT_THAT(one.errors, HasSubstr("note: one.json is not written: a trace begins with step 3"));
}

}  // namespace
}  // namespace cotangent::tests
